import { types } from 'node:util'

/** Also for errors of another realm (Node's own, under Jest) and those that only inherit from Error (Fastify's). */
export function isError(thrown: unknown): thrown is Error {
  return thrown instanceof Error || types.isNativeError(thrown)
}
