import { Client, type ClientConfig, type QueryConfig } from 'pg'
import { PostgresTarget } from './postgres-target.js'
import { askReadOnly, SessionState } from './session-state.js'

/** For a connection to be there, from the first packet to the end of the login. */
export const CONNECT_MS = 5_000
/** Before the kernel asks an idle connection whether the other side is still there. */
const KEEP_ALIVE_MS = 10_000
/** PostgreSQL takes no writes: it is a standby, or was set read-only. */
const READ_ONLY = '25006'

export interface PostgresClientConfig extends ClientConfig {
  target: PostgresTarget
  /** False behind a pooler that hands every transaction another server connection (PG_PREPARE=off): statements then lose their names. */
  prepare?: boolean
}

/** PostgreSQL, or the network to it, has not answered in time. Whether the statement took effect is not known. */
export class StatementDeadlineError extends Error {
  // What the kernel would say if it gave up the connection itself: every reader of errors, Prisma included, knows it.
  readonly code = 'ETIMEDOUT'
  readonly syscall = 'read'
  readonly errno = -110
  constructor(milliseconds: number) {
    super(`No answer of PostgreSQL within ${milliseconds} ms`)
    this.name = 'StatementDeadlineError'
  }
}

/**
 * A connection that answers in time or ends: every statement has a deadline on our side, in addition to PostgreSQL's own, which is of no
 * help where PostgreSQL or the network is silent. A connection whose answer is outstanding is destroyed, so it never returns to
 * a pool. With several hosts it connects to the one that takes writes, and leaves it when that changes.
 */
export class PostgresClient extends Client {
  /** Milliseconds for each statement from now on; 0: none. */
  statementDeadline: number
  readonly #target: PostgresTarget
  readonly #prepare: boolean
  readonly #session: SessionState
  #timer: NodeJS.Timeout | undefined
  #answers = 0
  #retired = false

  /** A single connection, ready for statements. The caller ends it. */
  static async open(config: PostgresClientConfig): Promise<Client> {
    const client = new PostgresClient(config)
    try {
      await (client.connect() as Promise<unknown>)
      return client
    } catch (error) {
      client.#destroy()
      throw error
    }
  }

  constructor({ target, prepare = true, ...config }: PostgresClientConfig) {
    super({
      connectionTimeoutMillis: CONNECT_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
      ...config,
      connectionString: target.firstUrl,
    })
    this.statementDeadline = target.statementDeadline
    this.#target = target
    this.#prepare = prepare
    this.#session = new SessionState(this, () => target.suspect())
    // A broken connection rejects its statements. The event says it again, and would end the process if nobody listened.
    this.on('error', () => undefined)
    this.on('drain', () => this.#rest())
    this.once('connect', () => target.join(this)).once('end', () => this.#leave())
    this.connection.on('readyForQuery', () => this.#answer())
    this.connection.on('errorMessage', ({ code = '' }: { code?: string }) => this.#refused(code))
  }

  /** The `connect` of `pg`, whose overloads cannot be repeated here. */
  override connect(...[callback]: unknown[]): never {
    const connected: Promise<unknown> = this.#target.chooses ? this.#connectToChosen() : super.connect()
    if (typeof callback !== 'function') return connected as never
    connected.then(
      () => callback(null, this),
      (error: unknown) => callback(error),
    )
    return undefined as never
  }

  /** The `query` of `pg`; only the first argument matters here. */
  override query(...args: unknown[]): never {
    const [first, ...rest] = args
    // A connection that is gone refuses at once, and never says that it rests.
    if (!this.connection.stream.destroyed) this.#timer ??= this.#deadline()
    const query = !this.#prepare && isNamed(first) ? { ...first, name: undefined } : first
    return super.query.apply(this, [query, ...rest] as never) as never
  }

  /** Ends it as soon as it does nothing: at once, or after the statement or transaction that it is in. */
  retire(): void {
    this.#retired = true
    if (!this.#timer) this.#rest()
  }

  /** If several statements were sent at once, the time of the next one begins now. */
  #answer(): void {
    this.#answers += 1
    this.#timer?.refresh()
  }

  /** Nothing is outstanding. */
  #rest(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#retired && this.getTransactionStatus() === 'I') this.#destroy(new Error('Connection terminated: its host is in doubt'))
  }

  #deadline(): NodeJS.Timeout | undefined {
    const milliseconds = this.statementDeadline
    if (milliseconds === 0) return undefined
    return setTimeout(() => {
      const answers = this.#answers
      // If this process was paused or busy, the answer may lie there unread: what came is read first.
      setImmediate(() => {
        if (this.#timer === undefined || this.#answers !== answers) return
        this.#destroy(new StatementDeadlineError(milliseconds))
        this.#target.suspect()
        this.#target.emit('expired')
      })
    }, milliseconds)
  }

  #destroy(error?: Error): void {
    this.connection.stream.destroy(error)
  }

  #leave(): void {
    clearTimeout(this.#timer)
    this.#target.leave(this)
  }

  #refused(sqlState: string): void {
    if (sqlState === READ_ONLY) this.#target.suspect()
    this.#target.emit('refused', sqlState)
  }

  async #connectToChosen(): Promise<void> {
    const { hostname, port } = new URL(await this.#target.choose())
    this.host = hostname.replace(/^\[(.*)\]$/, '$1')
    this.port = port === '' ? 5432 : Number(port)
    try {
      await super.connect()
      if (this.#target.writable && (this.#session.readOnly ?? (await askReadOnly(this))))
        throw new Error('Connection terminated: its host takes no writes')
    } catch (error) {
      this.#target.suspect()
      this.end().catch(() => undefined)
      throw error
    }
  }
}

/** A plain config object; a Submittable (cursor, query object) is passed as it is. */
function isNamed(value: unknown): value is QueryConfig {
  return typeof value === 'object' && value !== null && 'text' in value && 'name' in value && !('submit' in value)
}
