import { PROBLEM_MEDIA_TYPE } from '../../platform/http/problem-document.js'
import { PROBLEMS, problemType, schemaName } from './problem-catalogue.js'
import type { Operation } from './operations.js'

const HEADERS = {
  'retry-after': {
    description: 'Seconds after which the same request can succeed',
    schema: { type: 'integer', minimum: 0 },
    required: true,
  },
  'www-authenticate': {
    description: 'What has to be sent in Authorization (RFC 9110 §11.6.1)',
    schema: { type: 'string' },
    required: true,
  },
} as const
const WITH_RETRY_AFTER = [429, 503]

/** The types of problems that one operation answers, by status. */
export function refusalsOf(operation: { takesInput: boolean; takesBody: boolean }, known: Operation): Map<number, readonly string[]> {
  const byStatus = Map.groupBy(new Set([...usualTypes(operation, known), ...known.refuses]), (type) => problemType(type).status)
  return new Map([...byStatus].sort(([a], [b]) => a - b))
}

/** Types that operations of a kind have, whatever they do. */
function usualTypes({ takesInput, takesBody }: { takesInput: boolean; takesBody: boolean }, known: Operation): string[] {
  return [
    ...(takesInput ? ['invalid-request'] : []),
    ...(known.anonymous ? [] : SESSION),
    ...(takesBody ? ['too-large', 'unsupported-media-type'] : []),
    'rate-limited',
    'internal',
    'unavailable',
  ]
}

const SESSION = ['unauthenticated', 'token-expired', 'device-revoked']

/** Responses, by the types that they are of. Those of more than one operation become components. */
export class Refusals {
  private readonly sets = new Map<string, { status: number; types: readonly string[] }>()

  /** What stands in an operation for these types. */
  of(status: number, types: readonly string[]): object {
    const name = responseName(types)
    if (types.length > MAX_NAMED) return response(status, types)
    this.sets.set(name, { status, types })
    return { $ref: `#/components/responses/${name}` }
  }

  components(): Record<string, object> {
    const sorted = [...this.sets].sort(([a], [b]) => (a < b ? -1 : 1))
    return Object.fromEntries(sorted.map(([name, { status, types }]) => [name, response(status, types)]))
  }
}

/** More types than this are a set of one operation's own, and would make no name. */
const MAX_NAMED = 3

/** With an ending that no schema has: generators make one type of each component, whichever kind it is of. */
function responseName(types: readonly string[]): string {
  if (types.join() === SESSION.join()) return 'UnauthorizedRefusal'
  return `${types.map((type) => schemaName(type).replace(/Problem$/, '')).join('Or')}Refusal`
}

function response(status: number, types: readonly string[]): object {
  const refs = types.map((type) => ({ $ref: `#/components/schemas/${schemaName(type)}` }))
  const mapping = Object.fromEntries(types.map((type) => [`urn:microchat:problem:${type}`, `#/components/schemas/${schemaName(type)}`]))
  const schema = refs.length === 1 ? refs[0] : { oneOf: refs, discriminator: { propertyName: 'type', mapping } }
  return {
    description: types.map((type) => `\`${type}\`: ${problemType(type).when}`).join('\n\n'),
    ...headersOf(status),
    content: { [PROBLEM_MEDIA_TYPE]: { schema }, 'application/cbor': { schema } },
  }
}

function headersOf(status: number): { headers?: object } {
  if (WITH_RETRY_AFTER.includes(status)) return { headers: { 'Retry-After': HEADERS['retry-after'] } }
  return status === 401 ? { headers: { 'WWW-Authenticate': HEADERS['www-authenticate'] } } : {}
}

/** The types that some operation answers: the others are for requests that reach none, or between providers. */
export function inCatalogueOrder(types: ReadonlySet<string>): string[] {
  return [...PROBLEMS.keys()].filter((type) => types.has(type))
}
