import { LOG_KINDS, type LogKind } from '../../log-chain.js'
import { decodeWhole, type Decoded, type TlsReader } from '../../tls/reader.js'
import { TlsWriter } from '../../tls/writer.js'
import { readEnum, readGroup, readRoomUri, readUri, writeEnum, writeText } from '../common.js'
import type { FanoutMessage } from '../fanout-message.js'
import { readTreeOption, writeTreeOption } from '../tree-option.js'
import { MODES } from './modes.js'
import { CHAIN_BYTES } from './submissions.js'

const FROZEN = ['no', 'reinit', 'reset'] as const
const GAPS = ['none', 'retired', 'rejoined'] as const
const CHANGES = [undefined, 'joined', 'left'] as const
const ENDED = ['none', 'removed', 'left', 'revoked', 'resync'] as const
const KINDS = [undefined, ...LOG_KINDS] as const
export const MAX_BATCH_ENTRIES = 256
const MAX_ROSTER = 20_000
const MAX_WELCOMES = 4_096

/** One entry of the hub's log. What its message is, only `kind` says here: it has a length, and is not looked into. */
export interface NotifyEntry {
  readonly kind: LogKind
  readonly epoch: bigint
  readonly message: FanoutMessage
}

/** One of the receiver's clients came or went by the entry at `seq`. */
export interface NotifiedRosterChange {
  readonly seq: bigint
  readonly change: 'joined' | 'left'
  /** Why it left. */
  readonly ended: (typeof ENDED)[number]
  readonly client: string
}

export interface NotifyWelcome {
  /** Seq of the Commit. */
  readonly seq: bigint
  /** That the Commit made. */
  readonly epoch: bigint
  readonly expiresAtMs: bigint
  readonly clients: readonly string[]
  readonly message: FanoutMessage
}

/** The hub's signature for one place of its log: two of them for one place prove two histories (`heads.ts`). */
export interface SignedHead {
  /** By the hub's clock, milliseconds since the epoch. */
  readonly signedAtMs: bigint
  readonly keyId: string
  readonly signature: Uint8Array
}

/** A run of consecutive entries of one group, and whatever of it concerns the receiver. */
export interface NotifyBatch {
  readonly groupId: Uint8Array
  readonly roomId: string
  readonly mode: 'public' | 'private'
  readonly cipherSuite: number
  readonly incarnation: number
  readonly postFloor: bigint
  readonly frozen: (typeof FROZEN)[number]
  readonly successor: Uint8Array | undefined
  /** Why entries are left out before the first: retired at the hub, or accepted while the receiver had no members. */
  readonly gap: (typeof GAPS)[number]
  readonly firstSeq: bigint
  /** The chain value before the first entry; after retired entries, which nobody can chain from any more, that of the first entry itself. */
  readonly previousChain: Uint8Array
  readonly entries: readonly NotifyEntry[]
  readonly roster: readonly NotifiedRosterChange[]
  readonly welcomes: readonly NotifyWelcome[]
  /** Head at the last entry, or before the first where there is none. */
  readonly head: SignedHead
}

/** `NotifyBatch`, the body of `notify` (docs/federation-profile.md, Bodies of this profile). */
export function encodeNotifyBatch(batch: NotifyBatch): Uint8Array {
  return writeNotifyBatch(new TlsWriter(), batch).written()
}

/** `NotifyBatch` within another body. */
export function writeNotifyBatch(writer: TlsWriter, batch: NotifyBatch): TlsWriter {
  writeEnum(writeText(writer.opaque(batch.groupId), batch.roomId), MODES, batch.mode)
  writer.uint16(batch.cipherSuite).uint32(batch.incarnation).uint64(batch.postFloor)
  writeEnum(writer, FROZEN, batch.frozen).optional(batch.successor, (item, successor) => item.opaque(successor))
  writeEnum(writer, GAPS, batch.gap).uint64(batch.firstSeq).raw(batch.previousChain)
  writer.vector(batch.entries, (item, { kind, epoch, message }) =>
    writeEnum(item, KINDS, kind).uint64(epoch).uint64(message.acceptedAtMs).opaque(message.message),
  )
  writer.vector(batch.roster, (item, { seq, change, ended, client }) =>
    writeText(writeEnum(writeEnum(item.uint64(seq), CHANGES, change), ENDED, ended), client),
  )
  writer.vector(batch.welcomes, (item, { seq, epoch, expiresAtMs, clients, message }) =>
    writeTreeOption(
      item.uint64(seq).uint64(epoch).uint64(expiresAtMs).vector(clients, writeText).opaque(message.message),
      message.tree ?? { kind: 'distribution-service' },
    ),
  )
  return writeText(writer.uint64(batch.head.signedAtMs), batch.head.keyId).opaque(batch.head.signature)
}

/** `NotifyBatch`. Malformed for more than 256 entries, 20,000 changes or 4,096 Welcomes. Messages, and whether it fits the log, are not looked at. */
export function decodeNotifyBatch(bytes: Uint8Array): Decoded<NotifyBatch> {
  return decodeWhole(bytes, readNotifyBatch)
}

/** `NotifyBatch` within another body; bounds as in `decodeNotifyBatch`. @throws Malformed */
export function readNotifyBatch(reader: TlsReader): NotifyBatch {
  return {
    groupId: readGroup(reader),
    roomId: readRoomUri(reader),
    mode: readEnum(reader, MODES),
    cipherSuite: reader.uint16(),
    incarnation: reader.uint32(),
    postFloor: reader.uint64(),
    frozen: readEnum(reader, FROZEN),
    successor: reader.optional(readGroup),
    gap: readEnum(reader, GAPS),
    firstSeq: reader.uint64(),
    previousChain: reader.fixed(CHAIN_BYTES),
    entries: reader.vector(MAX_BATCH_ENTRIES, readEntry),
    roster: reader.vector(MAX_ROSTER, readRosterChange),
    welcomes: reader.vector(MAX_WELCOMES, readNotifyWelcome),
    head: { signedAtMs: reader.uint64(), keyId: readUri(reader), signature: reader.opaque() },
  }
}

function readEntry(reader: TlsReader): NotifyEntry {
  const kind = readEnum(reader, KINDS)
  return { kind, epoch: reader.uint64(), message: { acceptedAtMs: reader.uint64(), message: reader.opaque(), kind, proposals: [] } }
}

function readRosterChange(reader: TlsReader): NotifiedRosterChange {
  return { seq: reader.uint64(), change: readEnum(reader, CHANGES), ended: readEnum(reader, ENDED), client: readUri(reader) }
}

function readNotifyWelcome(reader: TlsReader): NotifyWelcome {
  return {
    seq: reader.uint64(),
    epoch: reader.uint64(),
    expiresAtMs: reader.uint64(),
    clients: reader.vector(MAX_WELCOMES, readUri),
    message: { acceptedAtMs: 0n, message: reader.opaque(), tree: readTreeOption(reader), kind: 'welcome', proposals: [] },
  }
}
