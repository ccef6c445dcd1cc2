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
 * The KeyMaterialRequest of draft-ietf-mimi-protocol-06 (docs/federation-profile.md): the device signs for whom it claims and in which
 * room, so that the target's provider need not believe the providers in between.
 */
export async function keyMaterialRequest(
  wish: KeyMaterialWish,
  keys: { publicKey: Uint8Array; signKey: Uint8Array },
  of: Suite,
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
  const signature = await signWithLabel(keys.signKey, 'KeyMaterialRequestTBS', new Uint8Array(tbs), of.impl.signature)
  return new Uint8Array(Buffer.concat([tbs, vector(signature)]))
}

function uint16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 0xff)
}
