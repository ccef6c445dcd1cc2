import { InvalidRequest } from './problem.js'

/** Where the body is an MLSMessage and nothing else, this field has what JSON and CBOR have as `incarnation`. */
export const INCARNATION_FIELD = 'group-incarnation'
const INCARNATION = /^[1-9][0-9]{0,9}$/
const MAX_INCARNATION = 0x7fff_ffff

/**
 * The incarnation that the sender of a message/mls names; undefined if it names none.
 * @param headers of the request, with names in lower case
 * @throws InvalidRequest for what is no positive 32-bit integer
 */
export function namedIncarnation(headers: Readonly<Record<string, unknown>>): number | undefined {
  const value = headers[INCARNATION_FIELD]
  if (value === undefined) return undefined
  if (typeof value !== 'string' || !INCARNATION.test(value) || Number(value) > MAX_INCARNATION)
    throw new InvalidRequest('Group-Incarnation is not an incarnation: a positive integer of 31 bits.')
  return Number(value)
}
