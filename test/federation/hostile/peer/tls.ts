import { generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto'

/** A length of RFC 9420 §2.1.2, in as few bytes as hold it. */
function length(bytes: number): Buffer {
  if (bytes < 64) return Buffer.of(bytes)
  const [size, mark] = bytes < 16_384 ? [2, 0x40] : [4, 0x80]
  const head = Buffer.alloc(size)
  head.writeUIntBE(bytes, 0, size)
  head[0]! |= mark
  return head
}

/** `opaque<V>`; a text is its UTF-8. */
export function opaque(content: string | Uint8Array): Buffer {
  const bytes = Buffer.from(content)
  return Buffer.concat([length(bytes.length), bytes])
}

/** A list of numbers of two bytes. */
const shorts = (...numbers: number[]) => opaque(Buffer.concat(numbers.map((number) => Buffer.of(number >> 8, number & 0xff))))

/** A client with a key of its own, which its provider need not know. */
export interface HostileClient {
  /** `mimi://<domain>/d/<user>/<device>` */
  readonly client: string
  readonly key: { readonly privateKey: KeyObject; readonly raw: Buffer }
}

export function newClient(domain: string, user: string): HostileClient {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  return { client: `mimi://${domain}/d/${user}/phone`, key: { privateKey, raw: rawKey(publicKey) } }
}

export const rawKey = (key: KeyObject): Buffer => Buffer.from(String(key.export({ format: 'jwk' }).x), 'base64url')

/** What a request says of itself; otherwise it is right. */
export interface Bound {
  readonly hub?: string
  /** Milliseconds since 1970. */
  readonly madeAt?: number
  readonly nonce?: Buffer
}

/** An `ExtendedKeyMaterialRequest`, with that of draft-ietf-mimi-protocol-06 in it, signed by the client that asks. */
export function keyMaterialRequest({ client, key }: HostileClient, target: string, room: string, bound: Bound = {}): Buffer {
  const [, domain = '', user = ''] = /^mimi:\/\/([^/]+)\/d\/([^/]+)\//.exec(client) ?? []
  const basic = Buffer.of(0, 1)
  const tbs = Buffer.concat([
    Buffer.of(1),
    opaque(`mimi://${domain}/u/${user}`),
    opaque(target),
    opaque(room),
    shorts(1),
    shorts(),
    shorts(),
    shorts(),
    opaque(key.raw),
    basic,
    opaque(client),
  ])
  const signed = (label: string, content: Buffer) =>
    Buffer.concat([content, opaque(sign(null, Buffer.concat([opaque(`MLS 1.0 ${label}`), opaque(content)]), key.privateKey))])
  const time = Buffer.alloc(8)
  time.writeBigUInt64BE(BigInt(bound.madeAt ?? Date.now()))
  const hub = bound.hub ?? room.split('/')[2] ?? ''
  const base = signed('KeyMaterialRequestTBS', tbs)
  return signed('ExtendedKeyMaterialRequestTBS', Buffer.concat([base, opaque(hub), time, bound.nonce ?? randomBytes(16)]))
}
