import { sha256 } from '../wire.js'
import { decodeAll, join, Reader, uint, vector, NotDecodable } from '../mls/tls.js'

/** The structures of docs/identity.md §2 to §4, on the wire and as values. Times are in seconds since 1970. */

export const RIGHTS = { enrol: 1, revoke: 2, attest: 4, all: 7 } as const
export type HolderKind = 'device' | 'recovery-key' | 'passkey'
const VERSION = 1
const KINDS: readonly HolderKind[] = ['device', 'recovery-key', 'passkey']

export interface ListKey {
  /** TLS SignatureScheme. */
  scheme: number
  publicKey: Uint8Array
}

/** A key in a certificate, with its own signature over `possessionContent`. */
export interface CertifiedKey extends ListKey {
  possession: Uint8Array
}

export interface Certificate {
  kind: HolderKind
  /** A device's client URI, a passkey's RP ID, empty for a recovery key. */
  subject: string
  /** The first one signs entries and heads. */
  keys: readonly CertifiedKey[]
  rights: number
  notBefore: bigint
  notAfter: bigint
}

export interface Revocation {
  /** Number of the entry that ends; 1 is the identity key. */
  revoked: number
  /** Not 0: what its holder has certified from this entry on ends as well. */
  since: number
}

export type EntryBody =
  | { type: 'identity'; identityKey: ListKey }
  | { type: 'certificate'; certificate: Certificate }
  | { type: 'revocation'; revocation: Revocation }

export interface EntryContent {
  user: string
  number: number
  previous: Uint8Array
  time: bigint
  signer: number
  body: EntryBody
}

export interface HeadContent {
  user: string
  number: number
  hash: Uint8Array
  issuedAt: bigint
  expiresAt: bigint
  signer: number
}

/** What was read: the content, what of the bytes is signed, and the signature. */
export type Signed<T> = T & { bytes: Uint8Array; signed: Uint8Array; signature: Uint8Array }
export type ListEntry = Signed<EntryContent>
export type ListHead = Signed<HeadContent>

/** The data of the LeafNode extension. */
export interface LeafCertificate {
  identity: Uint8Array
  /** The newest state of the list that the device knows. */
  listNumber: number
  listHash: Uint8Array
  certificate: ListEntry
}

/** SHA-256 of what is signed, without the signature. */
export const hashOf = ({ signed }: Pick<ListEntry, 'signed'>): Uint8Array => sha256(signed)

/** @throws NotDecodable */
export function decodeEntry(bytes: Uint8Array): ListEntry {
  if (bytes.length > 16_384) throw new NotDecodable('Too long for an entry')
  return decodeAll(bytes, readEntry)
}

/** @throws NotDecodable */
export const decodeHead = (bytes: Uint8Array): ListHead => decodeAll(bytes, (reader) => readSigned(reader, readHead))

/** @throws NotDecodable */
export function decodeLeafCertificate(data: Uint8Array): LeafCertificate {
  return decodeAll(data, (reader) => {
    const [identity, listNumber, listHash] = [reader.opaque(), reader.number(4), reader.opaque()]
    return { identity, listNumber, listHash, certificate: readEntry(reader) }
  })
}

export function encodeLeafCertificate({ identity, listNumber, listHash, certificate }: LeafCertificate): Uint8Array {
  return join(vector(identity), uint(4, listNumber), vector(listHash), certificate.bytes)
}

/** What each certified key signs. @param identity hash of entry 1 */
export function possessionContent(identity: Uint8Array, { kind, subject }: Pick<Certificate, 'kind' | 'subject'>): Uint8Array {
  return join(vector(identity), uint(1, KINDS.indexOf(kind) + 1), vector(subject))
}

export function encodeEntryContent({ user, number, previous, time, signer, body }: EntryContent): Uint8Array {
  return join(uint(1, VERSION), vector(user), uint(4, number), vector(previous), uint(8, time), uint(4, signer), encodeBody(body))
}

export function encodeHeadContent({ user, number, hash, issuedAt, expiresAt, signer }: HeadContent): Uint8Array {
  return join(uint(1, VERSION), vector(user), uint(4, number), vector(hash), uint(8, issuedAt), uint(8, expiresAt), uint(4, signer))
}

export const withSignature = (content: Uint8Array, signature: Uint8Array): Uint8Array => join(content, vector(signature))

function encodeBody(body: EntryBody): Uint8Array {
  if (body.type === 'identity') return join(uint(1, 1), encodeKey(body.identityKey))
  if (body.type === 'revocation') return join(uint(1, 3), uint(4, body.revocation.revoked), uint(4, body.revocation.since))
  const { kind, subject, keys, rights, notBefore, notAfter } = body.certificate
  const holder = join(
    uint(1, KINDS.indexOf(kind) + 1),
    vector(subject),
    vector(...keys.map((key) => join(encodeKey(key), vector(key.possession)))),
  )
  return join(uint(1, 2), holder, uint(1, rights), uint(8, notBefore), uint(8, notAfter))
}

const encodeKey = ({ scheme, publicKey }: ListKey): Uint8Array => join(uint(2, scheme), vector(publicKey))

function readEntry(reader: Reader): ListEntry {
  return readSigned(reader, (inside) => ({
    user: inside.text(),
    number: inside.number(4),
    previous: inside.opaque(),
    time: inside.uint64(),
    signer: inside.number(4),
    body: readBody(inside),
  }))
}

function readHead(reader: Reader): HeadContent {
  const [user, number, hash] = [reader.text(), reader.number(4), reader.opaque()]
  return { user, number, hash, issuedAt: reader.uint64(), expiresAt: reader.uint64(), signer: reader.number(4) }
}

function readSigned<T>(reader: Reader, read: (reader: Reader) => T): Signed<T> {
  const start = reader.at
  if (reader.number(1) !== VERSION) throw new NotDecodable('Of another version')
  const content = read(reader)
  const signed = reader.since(start)
  const signature = reader.opaque()
  return { ...content, signed, signature, bytes: reader.since(start) }
}

function readBody(reader: Reader): EntryBody {
  const type = reader.number(1)
  if (type === 1) return { type: 'identity', identityKey: readKey(reader) }
  if (type === 2) return { type: 'certificate', certificate: readCertificate(reader) }
  if (type === 3) return { type: 'revocation', revocation: { revoked: reader.number(4), since: reader.number(4) } }
  throw new NotDecodable(`No type of entry: ${type}`)
}

function readCertificate(reader: Reader): Certificate {
  const kind = KINDS[reader.number(1) - 1]
  if (!kind) throw new NotDecodable('No kind of holder')
  const [subject, keys] = [reader.text(), reader.list(16, (item) => ({ ...readKey(item), possession: item.opaque() }))]
  return { kind, subject, keys, rights: reader.number(1), notBefore: reader.uint64(), notAfter: reader.uint64() }
}

const readKey = (reader: Reader): ListKey => ({ scheme: reader.number(2), publicKey: reader.opaque() })

const DOMAIN = '[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::[0-9]{1,5})?'
const NAME = '[a-z0-9][a-z0-9._-]{0,63}'
const USER = new RegExp(`^mimi://${DOMAIN}/u/${NAME}$`, 'u')
const CLIENT = new RegExp(`^mimi://(${DOMAIN})/d/(${NAME})/[A-Za-z0-9_-]{1,64}$`, 'u')

export const isUserUri = (user: string): boolean => USER.test(user)

/** `mimi://<domain>/d/<user>/<device>` → `mimi://<domain>/u/<user>`; undefined for what is no client URI */
export function userOfClient(client: string): string | undefined {
  const [, domain, user] = CLIENT.exec(client) ?? []
  return domain === undefined || user === undefined ? undefined : `mimi://${domain}/u/${user}`
}
