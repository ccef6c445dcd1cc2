const REFUSES = Symbol('REFUSES')

/**
 * The types of problems that an operation answers, beside those that every operation of its kind does (openapi/refusals.ts).
 * They stand in openapi.yaml, and the test servers fail a suite in which another one was answered. On a class: for all its operations.
 * @param types last parts of type URNs, as in docs/errors.md
 */
export function Refuses(...types: readonly string[]): ClassDecorator & MethodDecorator {
  return (target: object, _key?: string | symbol, descriptor?: PropertyDescriptor) => {
    const holder: unknown = descriptor ? descriptor.value : target
    if (typeof holder !== 'function') throw new TypeError('@Refuses decorates a class or a method')
    Reflect.defineMetadata(REFUSES, [...refusedBy(holder), ...types], holder)
  }
}

/** What `@Refuses` says of a class or a handler; nothing for one without it. */
export function refusedBy(holder: object): readonly string[] {
  const types: readonly string[] | undefined = Reflect.getOwnMetadata(REFUSES, holder)
  return types ?? []
}

/** Types of problems that many operations have in common, for `@Refuses`. */

/** What a client can be answered about a group or room of another provider. */
export const AT_HUB = ['hub-unreachable', 'hub-refused', 'hub-bad-response', 'not-the-hub', 'provider-denied'] as const

/** What any operation on a group can answer. */
export const IN_GROUP = ['not-found', 'group-deleted', 'not-a-member', ...AT_HUB] as const

/** What a client can be answered where another provider is asked outside of any room. */
export const AT_PEER = ['peer-unreachable', 'peer-refused', 'peer-bad-response', 'provider-denied'] as const

/** What a claim for a user of another provider can answer. */
export const CLAIM_ELSEWHERE = [
  ...AT_HUB,
  'key-material-unavailable',
  'providers-apart',
  'user-unknown',
  'user-deleted',
  'no-consent-for-this-room',
  'incompatible-protocol',
] as const
