import { sha256 } from './sha256.js'

/** What a log entry is, as the API names it. */
export const LOG_KINDS = ['commit', 'proposal', 'application'] as const
/** One of `LOG_KINDS`. */
export type LogKind = (typeof LOG_KINDS)[number]

/** A kind as rows of the log and its hash chain have it: the first letter. */
export const KIND_OF_LETTER = { c: 'commit', p: 'proposal', a: 'application' } as const satisfies Record<string, LogKind>
export const LETTER_OF_KIND = { commit: 'c', proposal: 'p', application: 'a' } as const satisfies Record<LogKind, KindLetter>
export type KindLetter = keyof typeof KIND_OF_LETTER

/** What the chain value of an entry covers besides the value before it. */
export interface ChainLink {
  /** Counted from 1. */
  readonly seq: bigint
  readonly kind: LogKind
  readonly epoch: bigint
  /** SHA-256 of the entry's message. */
  readonly hash: Uint8Array
}

/** Where the hash chain of a group's log starts: 32 bytes, before any entry of this incarnation. Equal to SQL's log_chain_start. */
export function initialChain(groupId: Uint8Array, incarnation: number): Uint8Array {
  const suffix = Buffer.alloc(4)
  suffix.writeInt32BE(incarnation)
  return new Uint8Array(sha256('microchat log chain', groupId, suffix))
}

/** The chain value of an entry, 32 bytes, given the one before it. Equal to SQL's log_chain, which writes a kind as its first letter. */
export function extendChain(previous: Uint8Array, { seq, kind, epoch, hash }: ChainLink): Uint8Array {
  return new Uint8Array(sha256(previous, int8(seq), LETTER_OF_KIND[kind], int8(epoch), hash))
}

function int8(value: bigint): Uint8Array {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(value)
  return bytes
}
