import { type KindLetter, KIND_OF_LETTER, LOG_KINDS } from '../../log-chain.js'
import { TlsWriter } from '../../tls/writer.js'
import { writeEnum, writeText } from '../common.js'
import { MODES } from './modes.js'

/** What a hub says by signing the head of a log: to whom, of which group, when, and how its chain stands at one place. */
export interface HeadStatement {
  /** Domain of the provider that signs. */
  readonly hub: string
  /** Domain of the provider for which it signs. */
  readonly follower: string
  readonly roomId: string
  readonly groupId: Uint8Array
  readonly mode: 'public' | 'private'
  readonly incarnation: number
  readonly seq: bigint
  /** 32 bytes, of the entry at `seq`. */
  readonly chain: Uint8Array
  /** When the hub signed it, milliseconds since the epoch. */
  readonly signedAtMs: bigint
  /** With entries retired before the batch: what the hub says of its first entry, since its chain value cannot be computed. */
  readonly resumed?: ResumedEntry | undefined
}

/** The first entry after a gap of retired ones. */
export interface ResumedEntry {
  readonly seq: bigint
  readonly kind: KindLetter
  readonly epoch: bigint
  /** SHA-256 of its MLSMessage. */
  readonly hash: Uint8Array
  /** Its chain value. */
  readonly chain: Uint8Array
}

const KINDS = [undefined, ...LOG_KINDS] as const

/** What the hub signs for a head: Ed25519 over these bytes, by a key of its directory (docs/federation-profile.md, The log, chain and heads). */
export function signedHeadBytes(head: HeadStatement): Uint8Array {
  const writer = writeText(new TlsWriter(), 'microchat log head v2')
  writeText(writeText(writeText(writer, head.hub), head.follower), head.roomId).opaque(head.groupId)
  writeEnum(writer, MODES, head.mode).uint32(head.incarnation).uint64(head.seq).raw(head.chain).uint64(head.signedAtMs)
  return writer
    .optional(head.resumed, (item, { seq, kind, epoch, hash, chain }) =>
      writeEnum(item.uint64(seq), KINDS, KIND_OF_LETTER[kind]).uint64(epoch).raw(hash).raw(chain),
    )
    .written()
}
