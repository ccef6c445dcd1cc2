import { PROOF_PROBLEMS } from '../../authentication/possession/possession.problems.js'
import { PROBLEM_MEDIA_TYPE } from '../../platform/http/problem-document.js'
import { PROBLEMS, problemType, schemaName } from './problem-catalogue.js'
import type { DeclaredOperation } from './operations.js'

const RETRY_AFTER = {
  description: 'Seconds after which the same request can succeed',
  schema: { type: 'integer', minimum: 0 },
  required: true,
} as const
const WWW_AUTHENTICATE = {
  description: 'What has to be sent in Authorization (RFC 9110 §11.6.1)',
  schema: { type: 'string' },
  required: true,
} as const
const WITH_RETRY_AFTER = [429, 503]
const SESSION_PROBLEMS = ['unauthenticated', 'token-expired', 'device-revoked', ...PROOF_PROBLEMS]
/** All that need a session and refuse for nothing else. */
const SESSION_REFUSAL = 'UnauthorizedRefusal'
/** A larger set is rarely shared, and its name would be too long. */
const MAX_NAMED = 3

/** The problem types that an operation can answer, by HTTP status. */
export function refusalsOf(
  operation: { takesInput: boolean; takesBody: boolean },
  declared: DeclaredOperation,
): Map<number, readonly string[]> {
  const byStatus = Map.groupBy(new Set([...usualTypes(operation, declared), ...declared.refuses]), (type) => problemType(type).status)
  return new Map([...byStatus].sort(([a], [b]) => a - b))
}

/** Problem types that follow from an operation's shape: it has input, a body, a session. */
function usualTypes({ takesInput, takesBody }: { takesInput: boolean; takesBody: boolean }, declared: DeclaredOperation): string[] {
  return [
    ...(takesInput ? ['invalid-request'] : []),
    ...(declared.options.anonymous ? [] : SESSION_PROBLEMS),
    ...(takesBody ? ['too-large', 'unsupported-media-type'] : []),
    'rate-limited',
    'internal',
    'unavailable',
  ]
}

/** Collects responses by their set of problem types. Sets of up to MAX_NAMED become shared components. */
export class ProblemResponses {
  private readonly sets = new Map<string, { status: number; types: readonly string[] }>()

  /** The response object, or a reference to the shared one. */
  of(status: number, types: readonly string[]): object {
    const name = responseName(types)
    if (types.length > MAX_NAMED && name !== SESSION_REFUSAL) return response(status, types)
    this.sets.set(name, { status, types })
    return { $ref: `#/components/responses/${name}` }
  }

  components(): Record<string, object> {
    const sorted = [...this.sets].sort(([a], [b]) => (a < b ? -1 : 1))
    return Object.fromEntries(sorted.map(([name, { status, types }]) => [name, response(status, types)]))
  }
}

/** Ends in Refusal, as no schema does: generators put responses and schemas into one namespace of types. */
function responseName(types: readonly string[]): string {
  if (types.join() === SESSION_PROBLEMS.join()) return SESSION_REFUSAL
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
  if (WITH_RETRY_AFTER.includes(status)) return { headers: { 'Retry-After': RETRY_AFTER } }
  return status === 401 ? { headers: { 'WWW-Authenticate': WWW_AUTHENTICATE } } : {}
}

/** The same types in the order of the catalogue. */
export function inCatalogueOrder(types: ReadonlySet<string>): string[] {
  return [...PROBLEMS.keys()].filter((type) => types.has(type))
}
