import { sha256 } from '../sha256.js'
import { decodeWhole, Malformed, type Decoded, type TlsReader } from '../tls/reader.js'
import { TlsWriter } from '../tls/writer.js'

/** Label of the signature on an entry, for `SignWithLabel` of RFC 9420 §5.1.2. */
export const ENTRY_LABEL = 'MicroChat Device List Entry'

/** Label of the signature by a key that is certified, over `possessionContent`. */
export const POSSESSION_LABEL = 'MicroChat Key Possession'

/** Most keys of one certificate. */
export const MAX_CERTIFIED_KEYS = 16

/** Longest encoding of an entry. */
export const MAX_ENTRY_BYTES = 16_384

/** `version` of entries and heads. */
export const VERSION = 1

/** docs/identity.md §2: what holds a certified key. */
export const HOLDERS = { device: 1, 'recovery-key': 2, passkey: 3 } as const
export type HolderKind = keyof typeof HOLDERS

/** docs/identity.md §2: bits of `rights`. */
export const RIGHTS = { enrol: 1, revoke: 2, attest: 4 } as const
export const ALL_RIGHTS = RIGHTS.enrol | RIGHTS.revoke | RIGHTS.attest

/** A public key of a device list, as it is written: whether it is one, the rules ask. */
export interface ListKey {
  /** TLS SignatureScheme. */
  readonly scheme: number
  readonly publicKey: Uint8Array
}

export interface CertifiedKey extends ListKey {
  /** Its own signature over `possessionContent`: nobody can have a key certified that they do not hold. */
  readonly possession: Uint8Array
}

export interface DeviceCertificate {
  readonly kind: HolderKind
  /** A device's client URI, a passkey's RP ID; empty for a recovery key. */
  readonly subject: string
  /** The first one signs entries and heads. */
  readonly keys: readonly CertifiedKey[]
  /** Bits of `RIGHTS`. */
  readonly rights: number
  /** Seconds since 1970. */
  readonly notBefore: bigint
  readonly notAfter: bigint
}

export type EntryBody =
  | { readonly type: 'identity'; readonly identityKey: ListKey }
  | { readonly type: 'certificate'; readonly certificate: DeviceCertificate }
  | { readonly type: 'revocation'; readonly revocation: Revocation }

export interface Revocation {
  /** Number of the entry that ends: a certificate, or 1, the identity key. */
  readonly revoked: number
  /** Not 0: what its holder has certified in this entry and later ones ends too, also by others in between. */
  readonly since: number
}

/** What an entry says, before it is signed: DeviceListEntryTBS of docs/identity.md §2. */
export interface EntryContent {
  /** User URI. */
  readonly user: string
  readonly number: number
  /** `hashOfEntry` of the entry before; empty in entry 1. */
  readonly previous: Uint8Array
  /** Seconds since 1970, by the signer's clock. */
  readonly time: bigint
  /** Number of the entry whose key signs. */
  readonly signer: number
  readonly body: EntryBody
}

/** A DeviceListEntry of docs/identity.md §2 as it was read. */
export interface DeviceListEntry extends EntryContent {
  /** The whole encoding. */
  readonly bytes: Uint8Array
  /** DeviceListEntryTBS: the encoding without the signature. */
  readonly signed: Uint8Array
  readonly signature: Uint8Array
}

/** Strict, nothing may follow. Never throws. */
export function decodeEntry(bytes: Uint8Array): Decoded<DeviceListEntry> {
  if (bytes.length > MAX_ENTRY_BYTES) return { kind: 'malformed', reason: `an entry has more than ${MAX_ENTRY_BYTES} bytes` }
  return decodeWhole(bytes, readEntry)
}

/** SHA-256 of DeviceListEntryTBS: of what is said, since some signatures can be written in two ways. Of entry 1 it is the user's identity. */
export function hashOfEntry({ signed }: Pick<DeviceListEntry, 'signed'>): Uint8Array {
  return new Uint8Array(sha256(signed))
}

/** What a certified key signs with `POSSESSION_LABEL`. @param identity `hashOfEntry` of entry 1 */
export function possessionContent(identity: Uint8Array, kind: HolderKind, subject: string): Uint8Array {
  return new TlsWriter().opaque(identity).uint8(HOLDERS[kind]).opaque(Buffer.from(subject, 'utf8')).written()
}

/** DeviceListEntryTBS, the bytes to be signed with `ENTRY_LABEL`. */
export function encodeEntryContent({ user, number, previous, time, signer, body }: EntryContent): Uint8Array {
  const writer = new TlsWriter()
    .uint8(VERSION)
    .opaque(Buffer.from(user, 'utf8'))
    .uint32(number)
    .opaque(previous)
    .uint64(time)
    .uint32(signer)
  writeBody(writer, body)
  return writer.written()
}

/** A whole DeviceListEntry. */
export function encodeEntry(content: Uint8Array, signature: Uint8Array): Uint8Array {
  return new TlsWriter().raw(content).opaque(signature).written()
}

/** One entry of a vector, or a whole one. @throws Malformed */
export function readEntry(reader: TlsReader): DeviceListEntry {
  const start = reader.position
  readVersion(reader)
  const content: Omit<EntryContent, 'body'> = {
    user: text(reader.opaque()),
    number: reader.uint32(),
    previous: reader.opaque(),
    time: reader.uint64(),
    signer: reader.uint32(),
  }
  const body = readBody(reader)
  const signed = reader.since(start)
  const signature = reader.opaque()
  return { ...content, body, signed, signature, bytes: reader.since(start) }
}

function readBody(reader: TlsReader): EntryBody {
  const type = reader.uint8()
  switch (type) {
    case 1:
      return { type: 'identity', identityKey: readKey(reader) }
    case 2:
      return { type: 'certificate', certificate: readCertificate(reader) }
    case 3:
      return { type: 'revocation', revocation: { revoked: reader.uint32(), since: reader.uint32() } }
    default:
      throw new Malformed(`entry type ${type} is unknown`)
  }
}

function writeBody(writer: TlsWriter, body: EntryBody): void {
  switch (body.type) {
    case 'identity':
      writeKey(writer.uint8(1), body.identityKey)
      return
    case 'certificate':
      writeCertificate(writer.uint8(2), body.certificate)
      return
    case 'revocation':
      writer.uint8(3).uint32(body.revocation.revoked).uint32(body.revocation.since)
  }
}

function readCertificate(reader: TlsReader): DeviceCertificate {
  const number = reader.uint8()
  const kind = KIND_OF_NUMBER.get(number)
  if (kind === undefined) throw new Malformed(`holder kind ${number} is unknown`)
  return {
    kind,
    subject: text(reader.opaque()),
    keys: reader.vector(MAX_CERTIFIED_KEYS, (item) => ({ ...readKey(item), possession: item.opaque() })),
    rights: reader.uint8(),
    notBefore: reader.uint64(),
    notAfter: reader.uint64(),
  }
}

function writeCertificate(writer: TlsWriter, { kind, subject, keys, rights, notBefore, notAfter }: DeviceCertificate): void {
  writer
    .uint8(HOLDERS[kind])
    .opaque(Buffer.from(subject, 'utf8'))
    .vector(keys, (item, key) => writeKey(item, key).opaque(key.possession))
    .uint8(rights)
    .uint64(notBefore)
    .uint64(notAfter)
}

function readKey(reader: TlsReader): ListKey {
  return { scheme: reader.uint16(), publicKey: reader.opaque() }
}

function writeKey(writer: TlsWriter, { scheme, publicKey }: ListKey): TlsWriter {
  return writer.uint16(scheme).opaque(publicKey)
}

const KIND_OF_NUMBER = new Map(Object.entries(HOLDERS).map(([kind, number]) => [number as number, kind as HolderKind]))

// A byte order mark is kept, so that different names never become the same text.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** @throws Malformed for another version: what follows it nobody knows */
export function readVersion(reader: TlsReader): void {
  const version = reader.uint8()
  if (version !== VERSION) throw new Malformed(`version ${version} is unknown`)
}

/** UTF-8 as text. @throws Malformed */
export function text(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes)
  } catch {
    throw new Malformed('a name is not UTF-8')
  }
}
