import { isError } from '../observability/is-error.js'

/** PostgreSQL gave up waiting (55P03, 57014, 40P01), has no connection left (53…), is going away (57P0…) or coming up (57P03). */
const SQL_STATES = /^(55P03|57014|40001|40P01|53...|57P0.|08...)$/
/** Nobody listens there, or the name is gone for as long as its container or pod is. */
const SOCKETS = /^(ECONNREFUSED|ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)$/
/** Prisma's words for the same: not reachable, too slow, connection closed, none free, write conflict, too many. */
const PRISMA = /^(P1001|P1002|P1008|P1017|P2024|P2034|P2037)$/

/** Whether the same request to PostgreSQL, by `pg` or by Prisma, is worth another try in a moment. */
export function isTemporary(thrown: unknown): boolean {
  if (!isError(thrown)) return false
  if (/timeout exceeded when trying to connect|Connection terminated/.test(thrown.message)) return true
  return codesOf(thrown).some((code) => SQL_STATES.test(code) || SOCKETS.test(code) || PRISMA.test(code))
}

function codesOf(error: object): string[] {
  return [member(error, 'code'), driverCodeOf(error)].filter((code) => typeof code === 'string')
}

/** Prisma keeps PostgreSQL's own code where it has no word for it. */
function driverCodeOf(error: object): unknown {
  const path = ['meta', 'driverAdapterError', 'cause', 'originalCode']
  return path.reduce<unknown>((found, name) => member(found, name), error)
}

function member(of: unknown, name: string): unknown {
  return typeof of === 'object' && of !== null && name in of ? (of as Record<string, unknown>)[name] : undefined
}
