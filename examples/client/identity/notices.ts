import type { Device } from '../device.js'
import type { InboxItem } from '../stream.js'
import type { Trouble } from './identities.js'
import type { Held } from './list.js'
import { waitingChange, type WaitingChange } from './waiting-change.js'

/** What a client shows its user (docs/identity.md §5.7, §5.8). */
export type IdentityEvent =
  /** Holders in the own list that the user has not seen: `own.markSeen()` once the user has. One that is not the user's own is revoked. */
  | { kind: 'unseen-holders'; holders: Held[] }
  /** The server shows another list than this device has written, or less. */
  | { kind: 'own-list-disputed'; trouble: Trouble }
  /** `refuseChange` or `approveChange`. */
  | { kind: 'change-waits'; change: WaitingChange }
  /** A contact has another identity. Nothing is encrypted to it before the user accepts it (`Client.acceptIdentity`). */
  | { kind: 'identity-changed'; user: string }

const OF_THE_OWN_LIST: readonly InboxItem['kind'][] = ['device.added', 'device.revoked', 'device-list.changed', 'device-list.pending']

/** Reads the list that a notice is about. A notice itself says nothing that can be believed. */
export async function actOnNotice(device: Device, { kind, user }: InboxItem): Promise<IdentityEvent[]> {
  if (!device.record.certified) return []
  if (kind === 'identity.changed' && user !== undefined && user !== device.record.user) return lookAtContact(device, user)
  if (!OF_THE_OWN_LIST.includes(kind) || !device.own.exists) return []
  const events = await lookAtOwnList(device)
  const change = kind === 'device-list.pending' ? await waitingChange(device) : undefined
  return change ? [...events, { kind: 'change-waits', change }] : events
}

/** At each login and each notice. */
export async function lookAtOwnList({ own, identities, record }: Device): Promise<IdentityEvent[]> {
  await identities.of(record.user, { fresh: true })
  const [{ trouble }, holders] = [own.kept, own.unseen()]
  return [
    ...(trouble ? [{ kind: 'own-list-disputed', trouble } as const] : []),
    ...(holders.length > 0 ? [{ kind: 'unseen-holders', holders } as const] : []),
  ]
}

async function lookAtContact({ identities }: Device, user: string): Promise<IdentityEvent[]> {
  // Who has no list here yet gets none by a notice.
  if (!identities.kept(user)) return []
  const known = await identities.of(user, { fresh: true })
  return known?.trouble?.reason === 'identity-changed' ? [{ kind: 'identity-changed', user }] : []
}
