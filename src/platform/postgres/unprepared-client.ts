import { Client, type QueryConfig } from 'pg'

/** Drops the names of named statements, for poolers that hand every transaction another server connection. */
export class UnpreparedClient extends Client {
  // pg overloads `query` by argument types; only the first argument matters here.
  override query(...args: unknown[]): never {
    const [first, ...rest] = args
    return super.query.apply(this, [isNamed(first) ? { ...first, name: undefined } : first, ...rest] as never) as never
  }
}

/** A plain config object; a Submittable (cursor, query object) is passed as it is. */
function isNamed(value: unknown): value is QueryConfig {
  return typeof value === 'object' && value !== null && 'text' in value && 'name' in value && !('submit' in value)
}
