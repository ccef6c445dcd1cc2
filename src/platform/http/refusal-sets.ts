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
