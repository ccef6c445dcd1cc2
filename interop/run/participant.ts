import type { Origin } from '../../examples/client/mls/resumption.js'
import type { Mode } from '../../examples/client/store.js'

export const STACKS = ['openmls', 'mls-rs', 'ts-mls'] as const
export type StackName = (typeof STACKS)[number]

export interface Policy {
  external_join: 'same-user' | 'code' | 'open' | 'none'
  join_code?: string
  identities?: 'certified'
}

/**
 * How a room's devices stand to docs/identity.md. `any`: they have no identity, as clients of the old kind. `certified`: the server's policy
 * says that each has a certificate. `required`: the GroupContext says so, too.
 */
export type Identities = 'any' | 'certified' | 'required'
/** `carried`: with a certificate in its leaves. `listed`: with one in its user's list alone. */
export type IdentityKind = 'none' | 'carried' | 'listed'

export type { Origin }

/** A group as one device sees it; `authenticator` is base64url (RFC 9420 §8.7). */
export interface View {
  epoch: number
  authenticator: string
  members: string[]
  /** Proposals that wait for a Commit. */
  proposals: number
  cursor: number
  standing: string
  texts: { from: string; text: string }[]
  failures: string[]
  /** Leaves that ever failed at this device, and why. */
  distrusted: { client: string; reason: string }[]
}

export type KeyPackageKind = 'one-time' | 'last-resort' | 'grease' | 'custom-credential' | 'default-lifetime'

/** What the server or a library refused: the last part of the problem's type, or `library`. */
export class Refused extends Error {
  constructor(
    readonly kind: string,
    readonly detail: string,
    readonly document: Record<string, unknown> = {},
  ) {
    super(`${kind}: ${detail}${typeof document['rule'] === 'string' ? ` (rule ${document['rule']})` : ''}`)
  }
}

/** A device of any stack, over the API as any client uses it. Groups are named by their ids, other devices and users by their URIs. */
export interface Participant {
  readonly stack: StackName
  readonly user: string
  readonly client: string
  register(): Promise<void>
  /** As another device of the account of `first`, which vouches for it. */
  enrol(first: Participant): Promise<void>
  vouch(proofs: unknown): Promise<void>
  publish(kind: KeyPackageKind, count: number): Promise<void>
  listen(): Promise<void>
  /** Refreshes its tokens, and goes on with the stream that it has. */
  renew(): Promise<void>
  /** Of its user, base64url. */
  identity(): Promise<string | null>
  /** Dates its user's device list once more. */
  renewHead(): Promise<void>
  /** Ends the certificate of another device of its user. */
  revoke(client: string): Promise<void>
  /** With a user whose list this device knows. */
  safetyNumber(user: string): Promise<string>
  create(group: Uint8Array, mode: Mode, policy: Policy, required: boolean): Promise<void>
  add(group: Uint8Array, users: readonly string[]): Promise<void>
  remove(group: Uint8Array, clients: readonly string[]): Promise<void>
  /** A Commit of all that waits, with a path. */
  update(group: Uint8Array): Promise<void>
  proposeUpdate(group: Uint8Array): Promise<void>
  proposeRemove(group: Uint8Array, client: string): Promise<void>
  proposeAdd(group: Uint8Array, user: string): Promise<void>
  leave(group: Uint8Array): Promise<void>
  send(group: Uint8Array, text: string): Promise<void>
  /** Freezes the group by a ReInit that announces `next`. */
  reinit(group: Uint8Array, next: Uint8Array): Promise<void>
  /** The Welcome to `group`, when it comes, is for a member of `before`. */
  expect(group: Uint8Array, before: Uint8Array, origin: Origin): Promise<void>
  /** A group that begins at epoch 1 with all devices of these users, who are members of `before`. */
  beginAfter(before: Uint8Array, origin: Origin, group: Uint8Array, users: readonly string[]): Promise<void>
  joinExternally(group: Uint8Array, mode: Mode, options: { resync?: boolean; code?: string }): Promise<void>
  /** Waits until the log is read up to `seq`, or this device is out. `joined`: until it has joined by a Welcome. */
  until(group: Uint8Array, seq: number | 'joined'): Promise<View>
  view(group: Uint8Array): Promise<View>
  /** The last position of the log. */
  head(group: Uint8Array): Promise<number>
  /** The group's admins, by user URI. */
  admins(group: Uint8Array): Promise<string[]>
  close(): Promise<void>
}
