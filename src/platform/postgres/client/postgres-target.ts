import { EventEmitter } from 'node:events'
import { Client } from 'pg'
import type { DescribedLimit } from '../../limits/described-limit.js'
import { parseDatabaseUrl } from './database-url.js'
import { askReadOnly, SessionState } from './session-state.js'

/** Above the statement_timeout of our role (10 s), so that PostgreSQL's own word comes first where it can still speak. */
export const STATEMENT_DEADLINE_MS = 12_000
/** Time for one host to say whether it takes writes. All are asked at once. */
const PROBE_MS = 2_000
/** Connections are given up together at most so often: while nothing takes writes, every write says so again. */
const SUSPICION_MS = 1_000

export const STATEMENT_DEADLINE_LIMIT = {
  name: 'statement-deadline',
  holder: 'connection',
  what: 'time for a statement of PostgreSQL to be answered',
  setting: 'PG_STATEMENT_DEADLINE',
  refusal: '503 with Retry-After; the connection to PostgreSQL is given up',
} as const satisfies DescribedLimit

export interface TargetOptions {
  /** Milliseconds within which each statement is answered, or its connection is destroyed; 0: none. */
  statementDeadline?: number
}

/** What a target needs of a connection in order to give it up. */
export interface Retirable {
  retire(): void
}

/** None of several hosts takes writes: perhaps in a moment, when one has been promoted. */
export class NoWritableHost extends Error {
  constructor() {
    super('None of the hosts in DATABASE_URL takes writes now.')
  }
}

interface TargetEvents {
  /** PostgreSQL refused a statement on one of the connections, with this SQLSTATE. */
  refused: [sqlState: string]
  /** A statement was not answered within the deadline. */
  expired: []
}

/** Where connections lead, shared by all of a pool or a process: which host it is now, and that all of them leave it together. */
export class PostgresTarget extends EventEmitter<TargetEvents> {
  readonly urls: readonly string[]
  readonly statementDeadline: number
  /** True if sessions that take no writes are refused. */
  readonly writable: boolean
  private readonly connections = new Set<Retirable>()
  private current: Promise<string> | undefined
  private suspectedAt = -Infinity

  constructor(url: string, { statementDeadline = STATEMENT_DEADLINE_MS }: TargetOptions = {}) {
    super()
    const parsed = parseDatabaseUrl(url)
    if (!parsed) throw new Error('Not a PostgreSQL URL')
    this.urls = parsed.urls
    this.writable = parsed.writable
    this.statementDeadline = statementDeadline
  }

  /** URL of the first host; with several, one is chosen for each connection. */
  get firstUrl(): string {
    return this.urls[0] ?? ''
  }

  /** True if a connection must ask for the host before it connects, and look at its session after it. */
  get chooses(): boolean {
    return this.writable || this.urls.length > 1
  }

  /** The URL of the first host in order that takes writes, or with `any` that answers. It is kept until a connection has cause for doubt. */
  choose(): Promise<string> {
    if (this.current) return this.current
    const chosen = this.first()
    this.current = chosen
    chosen.catch(() => {
      if (this.current === chosen) this.current = undefined
    })
    return chosen
  }

  join(connection: Retirable): void {
    this.connections.add(connection)
  }

  leave(connection: Retirable): void {
    this.connections.delete(connection)
  }

  /**
   * The host turned read-only, went silent, or does not answer. Connections that do nothing are given up now, the others after
   * their statement, so that the next ones find the host that is right by then.
   */
  suspect(): void {
    this.current = undefined
    if (performance.now() - this.suspectedAt < SUSPICION_MS) return
    this.suspectedAt = performance.now()
    for (const connection of this.connections) connection.retire()
  }

  /** All are asked at once, but an earlier one in the list comes first: two that take writes must not be used by turns. */
  private async first(): Promise<string> {
    const answers = this.urls.map((url) => isOfUse(url, this.writable))
    for (const [index, answer] of answers.entries()) if (await answer) return this.urls[index] ?? ''
    throw new NoWritableHost()
  }
}

async function isOfUse(connectionString: string, writable: boolean): Promise<boolean> {
  const client = new Client({ connectionString, connectionTimeoutMillis: PROBE_MS, application_name: 'microchat-probe' })
  const session = new SessionState(client)
  client.on('error', () => undefined)
  const late = setTimeout(() => client.connection.stream.destroy(), PROBE_MS)
  try {
    await client.connect()
    return !writable || !(session.readOnly ?? (await askReadOnly(client)))
  } catch {
    return false
  } finally {
    clearTimeout(late)
    client.end().catch(() => undefined)
  }
}
