import type { TlsReader } from '../../tls/reader.js'
import { readExtensions, type Extension } from './extension.js'
import { readLeafNode, type LeafNode } from './leaf-node.js'

/** RFC 9420 §10. */
export interface KeyPackage {
  /** The whole encoding, without the framing of an MLSMessage. */
  readonly bytes: Uint8Array
  /** KeyPackageTBS: the encoding without the signature. */
  readonly tbs: Uint8Array
  readonly version: number
  readonly cipherSuite: number
  readonly initKey: Uint8Array
  readonly leafNode: LeafNode
  readonly extensions: readonly Extension[]
  readonly signature: Uint8Array
}

/** KeyPackage of RFC 9420 §10, of any version and suite; nothing of it is verified. @throws Malformed */
export function readKeyPackage(reader: TlsReader): KeyPackage {
  const start = reader.position
  const fields = {
    version: reader.uint16(),
    cipherSuite: reader.uint16(),
    initKey: reader.opaque(),
    leafNode: readLeafNode(reader),
    extensions: readExtensions(reader),
  }
  const tbs = reader.since(start)
  const signature = reader.opaque()
  return { ...fields, signature, tbs, bytes: reader.since(start) }
}
