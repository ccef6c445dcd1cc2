import { decodeUint16, decodeUint32, decodeUint64, decodeUint8 } from 'ts-mls/codec/number.js'
import { mapDecoder, mapDecoders, type Decoder } from 'ts-mls/codec/tlsDecoder.js'
import { decodeVarLenData } from 'ts-mls/codec/variableLength.js'
import { decodeContentType } from 'ts-mls/contentType.js'
import { decodeProtocolVersion } from 'ts-mls/protocolVersion.js'
import { decodeSender } from 'ts-mls/sender.js'
import { decodeWireformat } from 'ts-mls/wireformat.js'
import type { MlsMessage } from './message.js'
import type { UnreadHandshake } from './unread-handshake.js'
import { credentialType } from './structures/credential.js'
import type { LeafNodeSource } from './structures/leaf-node.js'
import type { Sender } from './structures/public-message.js'

/**
 * The second reader of framing (docs/adr/0004-decoders.md): ts-mls's decoders of single fields, composed for each wire format of
 * RFC 9420 §6. It reads what can be read at a constant cost, so that a vector of structs is one opaque field here, and of a
 * PublicMessage it reads all that stands before the content. The modules imported above are the only ones of ts-mls that the
 * server may load: none of them can decrypt.
 */

type Value = number | bigint | string | Uint8Array
/** What a reader saw, by name of the field; `end` is how many bytes it read. */
type Fields = Readonly<Record<string, Value>>

/** `field`: the first that the readers saw differently, or `message` if ts-mls cannot read the framing at all. */
export type FramingVerdict = { readonly kind: 'agreed' } | { readonly kind: 'disagreed'; readonly field: string }

/** Whether ts-mls sees in the bytes of `message` what the strict reader saw. It takes microseconds, whatever the length; it never throws. */
export function compareFraming(message: MlsMessage | UnreadHandshake): FramingVerdict {
  const theirs = readByTsMls(message.bytes)
  if (theirs === undefined) return { kind: 'disagreed', field: 'message' }
  const differing = Object.entries(fieldsOf(message)).find(([field, ours]) => !isSame(ours, theirs[field]))
  return differing === undefined ? { kind: 'agreed' } : { kind: 'disagreed', field: differing[0] }
}

/** Slices are the same if they are the same place in the message: their bytes need not be compared. */
function isSame(ours: Value, theirs: Value | undefined): boolean {
  if (!(ours instanceof Uint8Array) || !(theirs instanceof Uint8Array)) return ours === theirs
  return ours.buffer === theirs.buffer && ours.byteOffset === theirs.byteOffset && ours.length === theirs.length
}

/** What ts-mls cannot read it answers by undefined or by an error of some class: for us these are one outcome. */
function readByTsMls(bytes: Uint8Array): Fields | undefined {
  try {
    return decodeFraming(bytes, 0)?.[0]
  } catch {
    return undefined
  }
}

function decodeFraming(bytes: Uint8Array, offset: number): [Fields, number] | undefined {
  const header = HEADER(bytes, offset)
  if (header === undefined) return undefined
  const [{ version, wireFormat }, length] = header
  const body = BODIES[wireFormat](bytes, offset + length)
  return body && [{ version, wireFormat, ...body[0], end: length + body[1] }, length + body[1]]
}

const HEADER = mapDecoders([decodeProtocolVersion, decodeWireformat], (version, wireFormat) => ({ version, wireFormat }))

/** A sender is its type and, of some types, an index. */
const decodeSenderText = mapDecoder(decodeSender, (sender) => {
  if (sender.senderType === 'member') return `member ${sender.leafIndex}`
  return sender.senderType === 'external' ? `external ${sender.senderIndex}` : sender.senderType
})

const decodeLifetime = mapDecoders([decodeUint64, decodeUint64], (notBefore, notAfter) => `${notBefore} to ${notAfter}`)
const decodeNothing: Decoder<string> = () => ['', 0]
/** What follows a `leaf_node_source` of RFC 9420 §7.2. */
const AFTER_SOURCE: Readonly<Record<number, Decoder<string | Uint8Array>>> = { 1: decodeLifetime, 2: decodeNothing, 3: decodeVarLenData }
const decodeSource: Decoder<string | Uint8Array> = (bytes, offset) => {
  const [source] = decodeUint8(bytes, offset) ?? []
  const value = source === undefined ? undefined : AFTER_SOURCE[source]?.(bytes, offset + 1)
  return value && [value[0], 1 + value[1]]
}

/** The fields of a struct, in the order in which they are written here. */
function inOrder(decoders: Readonly<Record<string, Decoder<Value>>>): Decoder<Fields> {
  const named = Object.entries(decoders)
  return (bytes, offset) => {
    const fields: Record<string, Value> = {}
    let at = offset
    for (const [name, decode] of named) {
      const read = decode(bytes, at)
      if (read === undefined) return undefined
      fields[name] = read[0]
      at += read[1]
    }
    return [fields, at - offset]
  }
}

const BODIES = {
  mls_public_message: inOrder({
    groupId: decodeVarLenData,
    epoch: decodeUint64,
    sender: decodeSenderText,
    authenticatedData: decodeVarLenData,
    contentType: decodeContentType,
  }),
  mls_private_message: inOrder({
    groupId: decodeVarLenData,
    epoch: decodeUint64,
    contentType: decodeContentType,
    authenticatedData: decodeVarLenData,
    encryptedSenderData: decodeVarLenData,
    ciphertext: decodeVarLenData,
  }),
  mls_welcome: inOrder({ cipherSuite: decodeUint16, secrets: decodeVarLenData, encryptedGroupInfo: decodeVarLenData }),
  mls_group_info: inOrder({
    groupVersion: decodeProtocolVersion,
    cipherSuite: decodeUint16,
    groupId: decodeVarLenData,
    epoch: decodeUint64,
    treeHash: decodeVarLenData,
    confirmedTranscriptHash: decodeVarLenData,
    groupExtensions: decodeVarLenData,
    extensions: decodeVarLenData,
    confirmationTag: decodeVarLenData,
    signer: decodeUint32,
    signature: decodeVarLenData,
  }),
  mls_key_package: inOrder({
    keyPackageVersion: decodeProtocolVersion,
    cipherSuite: decodeUint16,
    initKey: decodeVarLenData,
    encryptionKey: decodeVarLenData,
    signatureKey: decodeVarLenData,
    credentialType: decodeUint16,
    credential: decodeVarLenData,
    versions: decodeVarLenData,
    cipherSuites: decodeVarLenData,
    extensionTypes: decodeVarLenData,
    proposalTypes: decodeVarLenData,
    credentialTypes: decodeVarLenData,
    source: decodeSource,
    leafExtensions: decodeVarLenData,
    leafSignature: decodeVarLenData,
    extensions: decodeVarLenData,
    signature: decodeVarLenData,
  }),
} as const

/** What the strict reader keeps of the same fields. Where it keeps none, the places of those that follow show what it saw. */
function fieldsOf(message: MlsMessage | UnreadHandshake): Fields {
  const { bytes } = message
  switch (message.wireFormat) {
    case 'public-message': {
      const { groupId, epoch, sender, authenticatedData, content } = message.body
      const header = { groupId, epoch, sender: senderText(sender), authenticatedData, contentType: content.kind }
      return { version: 'mls10', wireFormat: 'mls_public_message', ...header }
    }
    case 'unread-handshake': {
      const { groupId, epoch, sender, authenticatedData, kind } = message
      const header = { groupId, epoch, sender: senderText(sender), authenticatedData, contentType: kind }
      return { version: 'mls10', wireFormat: 'mls_public_message', ...header }
    }
    case 'private-message':
      return { version: 'mls10', wireFormat: 'mls_private_message', ...message.body, end: bytes.length }
    case 'welcome':
      return { version: 'mls10', wireFormat: 'mls_welcome', cipherSuite: message.body.cipherSuite, end: bytes.length }
    case 'group-info': {
      const { groupContext, confirmationTag, signer, signature } = message.body
      const { cipherSuite, groupId, epoch, treeHash, confirmedTranscriptHash } = groupContext
      const context = { cipherSuite, groupId, epoch, treeHash, confirmedTranscriptHash }
      return { version: 'mls10', wireFormat: 'mls_group_info', ...context, confirmationTag, signer, signature, end: bytes.length }
    }
    case 'key-package': {
      const { cipherSuite, initKey, signature, leafNode } = message.body
      const { encryptionKey, signatureKey, credential, source } = leafNode
      const leaf = { encryptionKey, signatureKey, credentialType: credentialType(credential), source: sourceValue(source) }
      const fields = { cipherSuite, initKey, ...leaf, leafSignature: leafNode.signature, signature }
      return { version: 'mls10', wireFormat: 'mls_key_package', ...fields, end: bytes.length }
    }
  }
}

function senderText(sender: Sender): string {
  switch (sender.kind) {
    case 'member':
      return `member ${sender.leafIndex}`
    case 'external':
      return `external ${sender.senderIndex}`
    case 'new-member-proposal':
      return 'new_member_proposal'
    case 'new-member-commit':
      return 'new_member_commit'
  }
}

function sourceValue(source: LeafNodeSource): string | Uint8Array {
  switch (source.kind) {
    case 'key-package':
      return `${source.notBefore} to ${source.notAfter}`
    case 'update':
      return ''
    case 'commit':
      return source.parentHash
  }
}
