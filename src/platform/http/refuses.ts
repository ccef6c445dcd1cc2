const REFUSES = Symbol('REFUSES')

/**
 * Declares the problem types that an operation can answer, in addition to the general ones (src/app/openapi/refusals.ts).
 * openapi.yaml lists them; a test suite fails if the server answers an undeclared one. On a class it applies to every operation.
 * @param types the part after `urn:microchat:problem:`
 */
export function Refuses(...types: readonly string[]): ClassDecorator & MethodDecorator {
  return (target: object, _key?: string | symbol, descriptor?: PropertyDescriptor) => {
    const holder: unknown = descriptor ? descriptor.value : target
    if (typeof holder !== 'function') throw new TypeError('@Refuses decorates a class or a method')
    Reflect.defineMetadata(REFUSES, [...declaredProblems(holder), ...types], holder)
  }
}

/** The types declared on a class or handler; [] without the decorator. */
export function declaredProblems(holder: object): readonly string[] {
  const types: readonly string[] | undefined = Reflect.getOwnMetadata(REFUSES, holder)
  return types ?? []
}

// Sets of problem types that several operations share.

/** Answers about a group or room that another provider hosts. */
export const HUB_PROBLEMS = [
  'hub-unreachable',
  'hub-refused',
  'hub-bad-response',
  'not-the-hub',
  'provider-denied',
  'unsupported-by-hub',
] as const

/** Answers of any operation on a group. */
export const GROUP_ACCESS_PROBLEMS = ['not-found', 'group-deleted', 'not-a-member', ...HUB_PROBLEMS] as const

/** Answers when another provider is asked, but not as a hub. */
export const PEER_CALL_PROBLEMS = ['peer-unreachable', 'peer-refused', 'peer-bad-response', 'provider-denied'] as const

/** Answers of a claim for a user of another provider. */
export const FOREIGN_CLAIM_PROBLEMS = [
  ...HUB_PROBLEMS,
  'key-material-unavailable',
  'providers-apart',
  'user-unknown',
  'user-deleted',
  'no-consent-for-this-room',
  'incompatible-protocol',
] as const
