import { createHash, createPrivateKey, createPublicKey, sign, type KeyObject } from 'node:crypto'
import { chains, headBytes, headOf, type Batch, type Head } from './log.js'
import { rawKey } from './tls.js'

// Keys of a seed, directories and files of evidence, as docs/federation-profile.md and docs/evidence.md have them.

const text = (bytes: string | Uint8Array): string => Buffer.from(bytes).toString('base64url')

export interface SeededKey {
  readonly keyId: string
  readonly privateKey: KeyObject
  /** Public, in base64url. */
  readonly x: string
}

/** An Ed25519 key of 32 bytes (RFC 8032 §5.1.5). */
export function seededKey(keyId: string, seed: Uint8Array): SeededKey {
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed])
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  return { keyId, privateKey, x: text(rawKey(createPublicKey(privateKey))) }
}

export interface SignedDirectory {
  readonly payload: string
  readonly signatures: { readonly protected: string; readonly signature: string }[]
}

/** A key directory that names `keys`, signed by them and by `also`. */
export function signedDirectory(
  domain: string,
  keys: readonly SeededKey[],
  at: { issued: number; expires: number },
  { also = [], more = {} }: { also?: readonly SeededKey[]; more?: object } = {},
): SignedDirectory {
  const named = keys.map(({ keyId, x }) => ({ kty: 'OKP', crv: 'Ed25519', x, kid: keyId, nbf: at.issued - 60 }))
  const payload = text(
    JSON.stringify({ domain, issued_at: at.issued, expires_at: at.expires, profiles: ['microchat-2'], ...more, keys: named }),
  )
  const signatures = [...keys, ...also].map(({ keyId, privateKey }) => {
    const head = text(JSON.stringify({ alg: 'EdDSA', kid: keyId, typ: 'mimi-key-directory' }))
    return { protected: head, signature: text(sign(null, Buffer.from(`${head}.${payload}`), privateKey)) }
  })
  return { payload, signatures }
}

/** A head in a file of evidence, with all entries of its batch as the way to it. */
export function evidenceHead(
  batch: Batch,
  parties: { hub: string; follower: string; at: bigint },
  key: SeededKey,
): Record<string, unknown> {
  const head = headOf(batch, parties)
  return {
    ...headFields(head),
    key_id: key.keyId,
    signature: text(sign(null, headBytes(head), key.privateKey)),
    ...wayOf(batch),
  }
}

function headFields({ hub, follower, room, groupId, mode, incarnation, seq, chain, signedAtMs }: Head): Record<string, unknown> {
  const place = { mode, incarnation, seq: Number(seq), chain: text(chain), signed_at_ms: Number(signedAtMs) }
  return { hub, follower, room, group_id: text(groupId), ...place }
}

function wayOf(batch: Batch): Record<string, unknown> {
  const links = batch.entries.map(({ kind, epoch, message }) => ({
    kind,
    epoch: Number(epoch),
    hash: text(createHash('sha256').update(message).digest()),
  }))
  const [first] = links
  if (batch.gap !== 'retired' || !first) return { after: { seq: Number(batch.firstSeq) - 1, chain: text(batch.previousChain) }, links }
  const start = { seq: Number(batch.firstSeq), chain: text(chains(batch)[0]!) }
  return { resumed: { ...start, ...first }, after: start, links: links.slice(1) }
}

/** A file of evidence. */
export function evidenceFile(
  kind: string,
  hub: string,
  directories: readonly SignedDirectory[],
  heads: readonly [Record<string, unknown>, Record<string, unknown>],
): Record<string, unknown> {
  const found = { found_by: 'b.example', found_at: '2026-11-27T03:33:20.000Z' }
  return { format: 'microchat-evidence', version: 1, kind, hub, ...found, directories, heads }
}
