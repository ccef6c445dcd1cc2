import { z } from 'zod'
import { Epoch, GroupId, MlsBytes, RowId, Seq, UnixSeconds } from '../../platform/http/bytes.js'
import { FreezeReason, type InboxFrame } from '../../protocol/frames.js'

const group = { group_id: GroupId, incarnation: z.int().positive() }

/** Something for one device alone, kept until the device acknowledges it. */
export const InboxItem = z.discriminatedUnion('kind', [
  z
    .object({
      id: RowId,
      kind: z.literal('welcome'),
      ...group,
      mls_group_id: GroupId.optional(),
      seq: Seq,
      epoch: Epoch,
      expires_at: UnixSeconds,
      welcome: MlsBytes(),
    })
    .meta({
      id: 'WelcomeItem',
      description:
        "A Welcome; `seq` is its Commit, `epoch` the one it leads to. The group's log waits until it is acknowledged. " +
        '`mls_group_id` is the id in MLS, where it is another one than `group_id`, by which the group is addressed at this server.',
    }),
  z
    .object({ id: RowId, kind: z.literal('key-packages.low'), cipher_suite: z.int(), remaining: z.int().nonnegative() })
    .meta({ id: 'KeyPackagesLowItem', description: 'Upload KeyPackages of this suite before they run out.' }),
  z.object({ id: RowId, kind: z.literal('group.deleted'), ...group }).meta({ id: 'GroupDeletedItem', description: 'The group is gone.' }),
  z.object({ id: RowId, kind: z.literal('group.leaving'), ...group, clients: z.array(z.string()) }).meta({
    id: 'GroupLeavingItem',
    description:
      'These clients (URIs) asked to leave or were revoked, and the server proposes no Remove: commit one with the next Commit, and name them in `let_go`. ' +
      'Empty if that has happened meanwhile.',
  }),
  z.object({ id: RowId, kind: z.literal('group.frozen'), ...group, reason: FreezeReason, successor: GroupId.optional() }).meta({
    id: 'GroupFrozenItem',
    description: 'The group takes no more entries. If another one has taken its place, that is `successor`, whose Welcome comes later.',
  }),
  z
    .object({ id: RowId, kind: z.literal('group.thawed'), ...group })
    .meta({ id: 'GroupThawedItem', description: 'A reset was undone: the group takes entries again, in the epoch in which it stopped.' }),
  z
    .object({ id: RowId, kind: z.literal('resync'), ...group })
    .meta({ id: 'ResyncItem', description: 'The log no longer reaches back to where this device stands: join again.' }),
  z.object({ id: RowId, kind: z.literal('device.added'), client: z.string() }).meta({
    id: 'DeviceAddedItem',
    description: 'The account has a new device, of this client URI, which this one has not added. Show it to the user.',
  }),
  z.object({ id: RowId, kind: z.literal('device.revoked'), client: z.string() }).meta({
    id: 'DeviceRevokedItem',
    description: 'The device of this client URI was revoked, by another one than this. Show it to the user.',
  }),
  z.object({ id: RowId, kind: z.literal('identity.changed'), user: z.string() }).meta({
    id: 'IdentityChangedItem',
    description:
      'This user (URI), with whom this device shares a group, has another identity than before: read the device list (docs/identity.md §5).',
  }),
  z.object({ id: RowId, kind: z.literal('device-list.changed'), number: z.int() }).meta({
    id: 'DeviceListChangedItem',
    description:
      'The account’s device list has new entries, up to this number, which this device has not sent. Read it, verify it, and show the user what they do.',
  }),
  z.object({ id: RowId, kind: z.literal('device-list.pending'), effective_at: UnixSeconds }).meta({
    id: 'DeviceListPendingItem',
    description:
      'A change of the device list waits until then: it ends a recovery key, a passkey, or all others in charge of this account. Ask the user, and refuse it if it is not the user’s.',
  }),
  z.object({ id: RowId, kind: z.literal('device-list.dropped'), number: z.int() }).meta({
    id: 'DeviceListDroppedItem',
    description:
      'The change that waited, up to the entry of this number, never takes effect: it was refused, or another one took its place.',
  }),
])
export type InboxItem = z.output<typeof InboxItem>

/** As the stream sends it (docs/asyncapi.yaml): ids, seq and epoch as numbers, below 2^53; the time in seconds. */
export function inboxFrame(item: InboxItem): InboxFrame {
  const id = Number(item.id)
  if (item.kind === 'device-list.pending') return { ...item, t: 'inbox', id, effective_at: seconds(item.effective_at) }
  if (item.kind !== 'welcome') return { ...item, t: 'inbox', id }
  const expires_at = seconds(item.expires_at)
  return { ...item, t: 'inbox', id, seq: Number(item.seq), epoch: Number(item.epoch), expires_at }
}

function seconds(time: Date): number {
  return Math.floor(time.getTime() / 1000)
}
