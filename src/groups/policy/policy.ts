import { sha256 } from '../../protocol/sha256.js'

/** Who may join without an invitation: further devices of members, those who know a code, everybody, nobody. */
export const EXTERNAL_JOIN = ['same-user', 'code', 'open', 'none'] as const
/** Who may add or remove members. */
export const WHO = ['members', 'admins'] as const
/** Whether new leaves need a certificate of their user's device list (docs/identity.md §4). What is certified stays so. */
export const IDENTITIES = ['certified', 'any'] as const

/** Who may change a group, as its admins set it (architecture §4). */
export interface GroupPolicy {
  externalJoin: (typeof EXTERNAL_JOIN)[number]
  /** SHA-256 of the join code, when `externalJoin` is `code`. */
  joinCodeHash: Uint8Array | null
  addMembers: (typeof WHO)[number]
  removeMembers: (typeof WHO)[number]
  /** Number of distinct users' reports of one Commit that allow a reset without an admin. */
  reportsToReset: number
  identities: (typeof IDENTITIES)[number]
  /** Compare-and-set: a Commit judged under an older version is judged again. */
  version: bigint
}

/** SHA-256, as `joinCodeHash` holds it, of a join code with a label before it. */
export function hashOfCode(code: string): Buffer {
  return sha256('microchat join code\0', code)
}
