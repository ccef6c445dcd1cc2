import { Malformed, TlsReader } from '../../tls/reader.js'
import { TlsWriter } from '../../tls/writer.js'
import { readCredential, type Credential } from './credential.js'
import { readExtensions, type Extension } from './extension.js'

/** Each list of a Capabilities; more could only be there to cost time. */
const MAX_CAPABILITIES = 1024

/** RFC 9420 §7.2: types as they are numbered on the wire, GREASE among them. */
export interface Capabilities {
  readonly versions: readonly number[]
  readonly cipherSuites: readonly number[]
  readonly extensions: readonly number[]
  readonly proposals: readonly number[]
  readonly credentials: readonly number[]
}

/** How a leaf came into the tree; times are seconds since 1970. */
export type LeafNodeSource =
  | { readonly kind: 'key-package'; readonly notBefore: bigint; readonly notAfter: bigint }
  | { readonly kind: 'update' }
  | { readonly kind: 'commit'; readonly parentHash: Uint8Array }

/** RFC 9420 §7.2. */
export interface LeafNode {
  /** The whole encoding. */
  readonly bytes: Uint8Array
  /** The encoding without the signature, which begins the LeafNodeTBS. */
  readonly unsigned: Uint8Array
  readonly encryptionKey: Uint8Array
  readonly signatureKey: Uint8Array
  readonly credential: Credential
  readonly capabilities: Capabilities
  readonly source: LeafNodeSource
  readonly extensions: readonly Extension[]
  readonly signature: Uint8Array
}

/** LeafNode of RFC 9420 §7.2, each list of its capabilities of at most 1,024. @throws Malformed for an unknown source, too */
export function readLeafNode(reader: TlsReader): LeafNode {
  const start = reader.position
  const fields = {
    encryptionKey: reader.opaque(),
    signatureKey: reader.opaque(),
    credential: readCredential(reader),
    capabilities: readCapabilities(reader),
    source: readSource(reader),
    extensions: readExtensions(reader),
  }
  const unsigned = reader.since(start)
  const signature = reader.opaque()
  return { ...fields, signature, unsigned, bytes: reader.since(start) }
}

/** The same leaf in memory of its own, so that keeping it does not keep the whole message it came in. */
export function copyLeafNode(leaf: LeafNode): LeafNode {
  return readLeafNode(new TlsReader(leaf.bytes.slice()))
}

/** LeafNodeTBS of RFC 9420 §7.2; the place in a group is signed only for leaves that were made for that place. */
export function leafNodeTbs(leaf: LeafNode, place: { groupId: Uint8Array; leafIndex: number } | undefined): Uint8Array {
  if (leaf.source.kind === 'key-package' || place === undefined) return leaf.unsigned
  return new TlsWriter().raw(leaf.unsigned).opaque(place.groupId).uint32(place.leafIndex).written()
}

function readCapabilities(reader: TlsReader): Capabilities {
  const list = (): number[] => reader.vector(MAX_CAPABILITIES, (item) => item.uint16())
  return { versions: list(), cipherSuites: list(), extensions: list(), proposals: list(), credentials: list() }
}

function readSource(reader: TlsReader): LeafNodeSource {
  const source = reader.uint8()
  switch (source) {
    case 1:
      return { kind: 'key-package', notBefore: reader.uint64(), notAfter: reader.uint64() }
    case 2:
      return { kind: 'update' }
    case 3:
      return { kind: 'commit', parentHash: reader.opaque() }
    default:
      throw new Malformed(`leaf node source ${source} is unknown`)
  }
}
