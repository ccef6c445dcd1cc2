import { z } from 'zod'
import { LETTER_OF_KIND, LOG_KINDS } from '../log-chain.js'
import type { HeadStatement } from '../mimi/microchat/heads.js'

const MAX_LINKS = 20_000
/** Of the hub, from the key that signed one head to the key that signed the other. A provider cannot change its keys more often in the time for which heads are compared. */
export const MAX_DIRECTORIES = 512

const Domain = z.string().min(1).max(260)
/** Without padding, in the one spelling that there is of each value. */
const Base64url = (least: number, most: number) =>
  z
    .string()
    .max(Math.ceil((most * 4) / 3))
    .refine((text) => {
      const bytes = Buffer.from(text, 'base64url')
      return bytes.toString('base64url') === text && bytes.length >= least && bytes.length <= most
    })
const Digest = Base64url(32, 32)
const Count = z.int().nonnegative()
const Incarnation = z.int().nonnegative().max(0xffff_ffff)
const Kind = z.enum(LOG_KINDS)

/** Of one entry what its chain value covers, but its place. */
const Link = z.strictObject({ kind: Kind, epoch: Count, hash: Digest })

/** A signed head (docs/federation-profile.md), and the way to its chain value from an earlier place. */
export const EvidenceHead = z.strictObject({
  hub: Domain,
  follower: Domain,
  room: z.string().max(400),
  group_id: Base64url(1, 255),
  mode: z.enum(['public', 'private']),
  incarnation: Incarnation,
  seq: Count,
  chain: Digest,
  signed_at_ms: Count,
  resumed: z.strictObject({ seq: Count, kind: Kind, epoch: Count, hash: Digest, chain: Digest }).optional(),
  key_id: z.string().max(64),
  signature: Base64url(64, 64),
  /** A place before the head, or its own: the entries after it are `links`. */
  after: z.strictObject({ seq: Count, chain: Digest }),
  links: z.array(Link).max(MAX_LINKS),
})
export type EvidenceHead = z.infer<typeof EvidenceHead>

/** A JWS in general JSON serialization (RFC 7515 §7.2.1), as the provider has published it. */
const Directory = z.strictObject({
  payload: z.string().max(32_768),
  signatures: z.array(z.strictObject({ protected: z.string().max(256), signature: z.string().max(256) })).max(64),
})
export type EvidenceDirectory = z.infer<typeof Directory>

export const EVIDENCE_KINDS = ['two-histories', 'new-incarnation', 'two-rooms', 'two-modes'] as const
export type EvidenceKind = (typeof EVIDENCE_KINDS)[number]

/** What a follower keeps and exports when a hub has contradicted itself (docs/evidence.md). Bytes are in base64url. */
export const EvidenceDocument = z.strictObject({
  format: z.literal('microchat-evidence'),
  version: z.literal(1),
  kind: z.enum(EVIDENCE_KINDS),
  hub: Domain,
  found_by: Domain,
  found_at: z.iso.datetime(),
  directories: z.array(Directory).max(MAX_DIRECTORIES),
  /** What was stored first, and what came after it. */
  heads: z.tuple([EvidenceHead, EvidenceHead]),
})
export type EvidenceDocument = z.infer<typeof EvidenceDocument>

/** What the hub has signed of it. */
export function statementIn({ resumed, ...head }: EvidenceHead): HeadStatement {
  return {
    hub: head.hub,
    follower: head.follower,
    roomId: head.room,
    groupId: bytes(head.group_id),
    mode: head.mode,
    incarnation: head.incarnation,
    seq: BigInt(head.seq),
    chain: bytes(head.chain),
    signedAtMs: BigInt(head.signed_at_ms),
    resumed: resumed && {
      seq: BigInt(resumed.seq),
      kind: LETTER_OF_KIND[resumed.kind],
      epoch: BigInt(resumed.epoch),
      hash: bytes(resumed.hash),
      chain: bytes(resumed.chain),
    },
  }
}

function bytes(base64url: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64url, 'base64url'))
}
