import { createHash } from 'node:crypto'
import { opaque } from './tls.js'

// Logs as docs/federation-profile.md has them: chain, heads, batches, receipts. Nothing here is of the server's.

export const KINDS = { commit: 1, proposal: 2, application: 3 } as const
const GAPS = { none: 0, retired: 1, rejoined: 2 } as const
const MODES = { public: 1, private: 2 } as const
type Kind = keyof typeof KINDS

export const uint = (value: number | bigint, bytes: number): Buffer =>
  Buffer.from(
    BigInt(value)
      .toString(16)
      .padStart(bytes * 2, '0'),
    'hex',
  )
const sha256 = (...parts: Uint8Array[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest()
const maybe = (content: Uint8Array | undefined): Buffer => (content ? Buffer.concat([Buffer.of(1), content]) : Buffer.of(0))

export interface Entry {
  readonly kind: Kind
  readonly epoch: bigint
  /** MLSMessage. */
  readonly message: Uint8Array
  /** Otherwise now. */
  readonly acceptedAtMs?: bigint
}

/** What follows a group id, of one incarnation, from one place on. */
export interface Batch {
  readonly groupId: Uint8Array
  readonly room: string
  readonly mode: keyof typeof MODES
  readonly suite: number
  readonly incarnation: number
  readonly postFloor: bigint
  readonly gap: keyof typeof GAPS
  readonly firstSeq: bigint
  readonly previousChain: Uint8Array
  readonly entries: readonly Entry[]
  /** Clients of the receiver that came and went. */
  readonly roster: readonly { readonly seq: bigint; readonly joined: boolean; readonly client: string }[]
  readonly welcomes: readonly {
    readonly seq: bigint
    readonly epoch: bigint
    readonly clients: readonly string[]
    readonly welcome: Uint8Array
  }[]
}

/** Where the chain of an incarnation begins. */
export const initialChain = (groupId: Uint8Array, incarnation: number): Buffer =>
  sha256(Buffer.from('microchat log chain'), groupId, uint(incarnation, 4))

export const nextChain = (previous: Uint8Array, seq: bigint, { kind, epoch, message }: Entry): Buffer =>
  sha256(previous, uint(seq, 8), Buffer.from(kind.slice(0, 1)), uint(epoch, 8), sha256(message))

/** The chain value of each entry of a batch, in order. */
export function chains({ previousChain, firstSeq, entries, gap }: Batch): Buffer[] {
  let chain: Uint8Array = previousChain
  return entries.map((entry, index) => {
    if (index > 0 || gap !== 'retired') chain = nextChain(chain, firstSeq + BigInt(index), entry)
    return Buffer.from(chain)
  })
}

/** `SignedHead` without what the receiver puts in. */
export interface Head {
  readonly hub: string
  readonly follower: string
  readonly room: string
  readonly groupId: Uint8Array
  readonly mode: keyof typeof MODES
  readonly incarnation: number
  readonly seq: bigint
  readonly chain: Uint8Array
  readonly signedAtMs: bigint
  readonly resumed?: Uint8Array | undefined
}

export function headBytes({ hub, follower, room, groupId, mode, incarnation, seq, chain, signedAtMs, resumed }: Head): Buffer {
  const names = ['microchat log head v2', hub, follower, room, groupId].map(opaque)
  const place = [uint(MODES[mode], 1), uint(incarnation, 4), uint(seq, 8), chain, uint(signedAtMs, 8)]
  return Buffer.concat([...names, ...place, maybe(resumed)])
}

/** The head that a hub has to sign for a batch. */
export function headOf(batch: Batch, { hub, follower, at }: { hub: string; follower: string; at: bigint }): Head {
  const { room, groupId, mode, incarnation, firstSeq, entries, gap, previousChain } = batch
  const all = chains(batch)
  const [first] = entries
  const seq = firstSeq + BigInt(entries.length) - 1n
  const resumed =
    first && gap === 'retired'
      ? Buffer.concat([uint(firstSeq, 8), uint(KINDS[first.kind], 1), uint(first.epoch, 8), sha256(first.message), all[0]!])
      : undefined
  return { hub, follower, room, groupId, mode, incarnation, seq, chain: all.at(-1) ?? previousChain, signedAtMs: at, resumed }
}

/** `NotifyBatch`. @param now when the hub accepted all of it, milliseconds */
export function notifyBatch(batch: Batch, head: { signedAtMs: bigint; keyId: string; signature: Uint8Array }, now = Date.now()): Buffer {
  const { groupId, room, mode, suite, incarnation, postFloor, gap, firstSeq, previousChain } = batch
  const entries = batch.entries.map(({ kind, epoch, message, acceptedAtMs }) => [
    uint(KINDS[kind], 1),
    uint(epoch, 8),
    uint(acceptedAtMs ?? now, 8),
    opaque(message),
  ])
  const roster = batch.roster.map(({ seq, joined, client }) => [uint(seq, 8), Buffer.of(joined ? 1 : 2, joined ? 0 : 1), opaque(client)])
  const inADay = uint(now + 86_400_000, 8)
  const welcomes = batch.welcomes.map(({ seq, epoch, clients, welcome }) => [
    uint(seq, 8),
    uint(epoch, 8),
    inADay,
    opaque(Buffer.concat(clients.map(opaque))),
    opaque(welcome),
    Buffer.of(4), // the tree is to be had from the hub
  ])
  return Buffer.concat([
    opaque(groupId),
    opaque(room),
    uint(MODES[mode], 1),
    uint(suite, 2),
    uint(incarnation, 4),
    uint(postFloor, 8),
    Buffer.of(0, 0), // not frozen, no successor
    uint(GAPS[gap], 1),
    uint(firstSeq, 8),
    previousChain,
    ...[entries, roster, welcomes].map((items) => opaque(Buffer.concat(items.flat()))),
    uint(head.signedAtMs, 8),
    opaque(head.keyId),
    opaque(head.signature),
  ])
}

/** `DeleteRoomRequest`. */
export const deleteRoomRequest = (room: string, groupId: Uint8Array, incarnation: number): Buffer =>
  Buffer.concat([opaque(room), opaque(groupId), uint(incarnation, 4)])

export interface Deletion {
  readonly room: string
  readonly groupId: Uint8Array
  readonly incarnation: number
  readonly entries: bigint
  readonly at: bigint
}

const deletion = ({ room, groupId, incarnation, entries, at }: Deletion): Buffer =>
  Buffer.concat([deleteRoomRequest(room, groupId, incarnation), uint(entries, 8), uint(at, 8)])

/** `SignedReceipt` of a deletion. */
export const deletionBytes = (parties: { hub: string; follower: string }, receipt: Deletion): Buffer =>
  Buffer.concat([...['microchat deletion receipt v2', parties.hub, parties.follower].map(opaque), deletion(receipt)])

/** `DeletionReceipt`. */
export const deletionReceipt = (receipt: Deletion, keyId: string, signature: Uint8Array): Buffer =>
  Buffer.concat([deletion(receipt), opaque(keyId), opaque(signature)])

export interface Erasure {
  readonly id: Uint8Array
  readonly at: bigint
}

/** `SignedErasure`. */
export function erasureBytes({ user, eraser }: { user: string; eraser: string }, { id, at }: Erasure): Buffer {
  const asker = /^mimi:\/\/([^/]+)\//.exec(user)?.[1] ?? ''
  return Buffer.concat([...['microchat erasure receipt v2', asker, eraser, user].map(opaque), opaque(id), uint(at, 8)])
}

/** `ErasureReceipt`. */
export const erasureReceipt = ({ id, at }: Erasure, keyId: string, signature: Uint8Array): Buffer =>
  Buffer.concat([opaque(id), uint(at, 8), opaque(keyId), opaque(signature)])
