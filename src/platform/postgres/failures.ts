import { isError } from '../observability/is-error.js'

/**
 * What a failure of PostgreSQL means for a caller:
 * `temporary` – the same request is worth another try in a moment;
 * `read-only` – this PostgreSQL takes no writes: a standby, a demoted primary;
 * `full` – its disk is;
 * `input` – it got a value that no column holds, and that our own checks should have refused.
 * Everything else is a fault of this server.
 */
export type Failure = 'temporary' | 'read-only' | 'full' | 'input'

/** One row of the table: SQLSTATEs, as a pattern over all five characters, and what a program without a mistake meets them for. */
export interface SqlStateRow {
  states: RegExp
  failure: Failure
  when: string
}

/** The first row that fits decides. See appendix A of PostgreSQL's manual. */
export const SQL_STATES: readonly SqlStateRow[] = [
  { states: /^25006$/, failure: 'read-only', when: 'a standby, a demoted primary, default_transaction_read_only' },
  { states: /^53100$/, failure: 'full', when: 'the disk is full' },
  { states: /^53...$/, failure: 'temporary', when: 'no connection, memory or other resource is left' },
  { states: /^08...$/, failure: 'temporary', when: 'the connection broke, or a pooler has no server for it' },
  { states: /^57014$/, failure: 'temporary', when: 'statement_timeout, or an operator cancelled it' },
  { states: /^57P0.$/, failure: 'temporary', when: 'PostgreSQL goes down, comes up, or ends idle sessions' },
  { states: /^(55P03|55006)$/, failure: 'temporary', when: 'lock_timeout; something is in use' },
  { states: /^40(001|P01|003)$/, failure: 'temporary', when: 'a conflict or deadlock of transactions' },
  { states: /^25P0[34]$/, failure: 'temporary', when: 'a transaction was idle, or took, too long' },
  { states: /^58(000|030)$/, failure: 'temporary', when: 'the system under PostgreSQL failed, in I/O for instance' },
  { states: /^(28...|3D000)$/, failure: 'temporary', when: 'a password is being changed, a database restored' },
  { states: /^22(021|P05|P03)$/, failure: 'input', when: 'a text with NUL, or characters that the encoding lacks' },
  { states: /^(22001|22003|22P02|22007|22008|54000)$/, failure: 'input', when: 'a value too long, too large, or of no such form' },
]

/** SQLSTATE of lock_timeout, and of NOWAIT. */
export const LOCK_NOT_AVAILABLE = '55P03'

/** A statement prepared before a migration of another node; the connection is gone by the time of the next try. */
const OUTDATED_PLAN = /cached plan must not change result type/
/** Nobody listens there, the name is gone for as long as its container or pod is, or this process has no descriptor left. */
const SOCKETS =
  /^(ECONNREFUSED|ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT|E(HOST|NET)(UNREACH|DOWN)|ENOTFOUND|EAI_AGAIN|E[MN]FILE|EADDRNOTAVAIL)$/
/** Prisma's words for the same: login refused, not reachable, too slow, no database, connection closed, none free, no transaction, conflict, too many. */
const PRISMA_TEMPORARY = /^(P1000|P1001|P1002|P1003|P1008|P1010|P1017|P2024|P2028|P2034|P2037)$/
/** Too long, of the wrong form, out of range. */
const PRISMA_INPUT = /^(P2000|P2005|P2006|P2007|P2020)$/
/** `pg` gives no code where it speaks for itself. */
const SPOKEN =
  /timeout exceeded when trying to connect|timeout expired|Connection terminated|not queryable|after calling end on the pool|takes (no )?writes/

/** @returns undefined for errors that are not PostgreSQL's, or a fault of this server */
export function failureOf(thrown: unknown): Failure | undefined {
  if (!isError(thrown)) return undefined
  const codes = codesOf(thrown)
  const row = SQL_STATES.find(({ states }) => codes.some((code) => states.test(code)))
  if (row) return row.failure
  if (codes.some((code) => PRISMA_INPUT.test(code))) return 'input'
  const passing = codes.some((code) => SOCKETS.test(code) || PRISMA_TEMPORARY.test(code))
  return passing || SPOKEN.test(thrown.message) || OUTDATED_PLAN.test(thrown.message) ? 'temporary' : undefined
}

/** SQLSTATE, or Prisma's or the system's code; for the log, which must not quote messages that hold a value. */
export function failureCodeOf(thrown: unknown): string | undefined {
  return isError(thrown) ? codesOf(thrown)[0] : undefined
}

function codesOf(error: object): string[] {
  return [driverCodeOf(error), member(error, 'code')].filter((code) => typeof code === 'string')
}

/** Prisma keeps PostgreSQL's code next to its own. */
function driverCodeOf(error: object): unknown {
  const path = ['meta', 'driverAdapterError', 'cause', 'originalCode']
  return path.reduce<unknown>((found, name) => member(found, name), error)
}

function member(of: unknown, name: string): unknown {
  return typeof of === 'object' && of !== null && name in of ? (of as Record<string, unknown>)[name] : undefined
}
