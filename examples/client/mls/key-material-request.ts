import { randomBytes } from 'node:crypto'
import { signWithLabel } from 'ts-mls/crypto/signature.js'
import { type Suite } from './suites.js'
import { vector } from './tls.js'

/** Who wants KeyPackages of whom, for which room. */
export interface KeyMaterialWish {
  readonly user: string
  readonly client: string
  readonly target: string
  readonly room: string
  readonly cipherSuite: number
}

/**
 * An ExtendedKeyMaterialRequest (docs/federation-profile.md): the device signs for whom it claims and in which room, so that the target's provider
 * need not believe the providers in between, and over all of it by which hub it goes and when, so that none of them can use it a second time.
 */
export async function keyMaterialRequest(
  wish: KeyMaterialWish,
  keys: { publicKey: Uint8Array; signKey: Uint8Array },
  of: Suite,
  /** Milliseconds since 1970. */
  now = Date.now(),
): Promise<Uint8Array> {
  const none = vector(new Uint8Array())
  const tbs = Buffer.concat([
    Buffer.of(1), // MLS 1.0
    ...[wish.user, wish.target, wish.room].map((uri) => vector(Buffer.from(uri))),
    vector(uint16(wish.cipherSuite)),
    none, // required extensions, proposals and credentials
    none,
    none,
    vector(keys.publicKey),
    uint16(1), // a basic credential
    vector(Buffer.from(wish.client)),
  ])
  const signed = async (label: string, content: Buffer) =>
    Buffer.concat([content, vector(await signWithLabel(keys.signKey, label, new Uint8Array(content), of.impl.signature))])
  const hub = wish.room.split('/')[2] ?? ''
  const base = await signed('KeyMaterialRequestTBS', tbs)
  const bound = Buffer.concat([base, vector(Buffer.from(hub)), uint64(now), randomBytes(16)])
  return new Uint8Array(await signed('ExtendedKeyMaterialRequestTBS', bound))
}

function uint64(value: number): Uint8Array {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(value))
  return bytes
}

function uint16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 0xff)
}
