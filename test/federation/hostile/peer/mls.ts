import { createHash, randomBytes } from 'node:crypto'
import { opaque } from './tls.js'

// MLS messages (RFC 9420) of the form that a follower reads, and no more: nothing in them is signed or encrypted by anybody.

const u8 = (...numbers: number[]) => Buffer.from(numbers)
const u16 = (number: number) => Buffer.of(number >> 8, number & 0xff)
export const u32 = (number: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(number)
  return bytes
}
const u64 = (number: number | bigint): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(number))
  return bytes
}
const NOTHING = opaque('')
const MLS = u16(1)
const WIRE_FORMAT = { public: 1, private: 2, welcome: 3 } as const
const framed = (format: keyof typeof WIRE_FORMAT, ...parts: Uint8Array[]) => Buffer.concat([MLS, u16(WIRE_FORMAT[format]), ...parts])

export interface Place {
  readonly groupId: Uint8Array
  readonly epoch: number
}

/** A leaf of an UpdatePath; nobody has signed it. */
function leafNode(client: string, signatureKey: Uint8Array, extensions: Uint8Array = NOTHING): Buffer {
  const capabilities = [opaque(u16(1)), opaque(u16(1)), NOTHING, NOTHING, opaque(u16(1))]
  const credential = Buffer.concat([u16(1), opaque(client)])
  const source = Buffer.concat([u8(3), NOTHING])
  return Buffer.concat([
    opaque(randomBytes(32)),
    opaque(signatureKey),
    credential,
    ...capabilities,
    source,
    extensions,
    opaque(randomBytes(64)),
  ])
}

/** A Commit by which `client` comes in from outside. */
export function externalCommit({ groupId, epoch }: Place, client: string, signatureKey: Uint8Array, leafExtensions?: Uint8Array): Buffer {
  const externalInit = Buffer.concat([u8(1), u16(6), opaque(randomBytes(32))])
  const path = Buffer.concat([u8(1), leafNode(client, signatureKey, leafExtensions), NOTHING])
  const content = Buffer.concat([opaque(groupId), u64(epoch), u8(4), NOTHING, u8(3), opaque(externalInit), path])
  return framed('public', content, opaque(randomBytes(64)), opaque(randomBytes(32)))
}

/** A Commit of the member at leaf 0 that adds the owners of these KeyPackages, for all to see. */
export function publicCommit({ groupId, epoch }: Place, keyPackages: readonly Uint8Array[]): Buffer {
  const adds = Buffer.concat(keyPackages.map((keyPackage) => Buffer.concat([u8(1), u16(1), keyPackage])))
  const content = Buffer.concat([opaque(groupId), u64(epoch), u8(1), u32(0), NOTHING, u8(3), opaque(adds), u8(0)])
  return framed('public', content, opaque(randomBytes(64)), opaque(randomBytes(32)), opaque(randomBytes(32)))
}

const CONTENT = { application: 1, proposal: 2, commit: 3 } as const

/** A message that says what it is, and hides the rest. */
export function privateMessage({ groupId, epoch }: Place, content: keyof typeof CONTENT): Buffer {
  return framed('private', opaque(groupId), u64(epoch), u8(CONTENT[content]), NOTHING, opaque(randomBytes(28)), opaque(randomBytes(60)))
}

/** A Welcome to the owners of these KeyPackages, which nobody can open. */
export function welcome(refs: readonly Uint8Array[]): Buffer {
  const secret = (ref: Uint8Array) => Buffer.concat([opaque(ref), opaque(randomBytes(32)), opaque(randomBytes(48))])
  return framed('welcome', u16(1), opaque(Buffer.concat(refs.map(secret))), opaque(randomBytes(200)))
}

/** KeyPackageRef of suites with SHA-256. */
export function refOf(keyPackage: Uint8Array): Buffer {
  return createHash('sha256')
    .update(Buffer.concat([opaque('MLS 1.0 KeyPackage Reference'), opaque(keyPackage)]))
    .digest()
}
