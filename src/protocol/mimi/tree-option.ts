import type { TlsReader } from '../tls/reader.js'
import type { TlsWriter } from '../tls/writer.js'
import { readEnum, readText, writeEnum, writeText } from './common.js'

const REPRESENTATIONS = [undefined, 'full', 'https-uri', 'out-of-band', 'distribution-service'] as const

/**
 * `RatchetTreeOption` (draft-mahy-mls-ratchet-tree-options §3). `full` holds the vector `Node ratchet_tree<V>`, header included,
 * undecoded: a large tree is decoded in a thread. Signatures of the other forms are read and not looked at.
 */
export type TreeOption =
  | { readonly kind: 'full'; readonly tree: Uint8Array }
  | { readonly kind: 'https-uri'; readonly url: string }
  | { readonly kind: 'out-of-band' }
  | { readonly kind: 'distribution-service' }

/** `RatchetTreeOption`; a full tree stays encoded, and is a view of what is read. */
export function readTreeOption(reader: TlsReader): TreeOption {
  const kind = readEnum(reader, REPRESENTATIONS)
  switch (kind) {
    case 'full': {
      const start = reader.position
      reader.opaque()
      return { kind, tree: reader.since(start) }
    }
    case 'https-uri': {
      const url = readText(reader)
      reader.opaque()
      return { kind, url }
    }
    case 'out-of-band':
      reader.opaque()
      return { kind }
    case 'distribution-service':
      return { kind }
  }
}

/** Only what this server sends: a tree in full, or that the hub has it. */
export function writeTreeOption(writer: TlsWriter, option: TreeOption): TlsWriter {
  writeEnum(writer, REPRESENTATIONS, option.kind)
  switch (option.kind) {
    case 'full':
      return writer.raw(option.tree)
    case 'https-uri':
      return writeText(writer, option.url).opaque(new Uint8Array())
    case 'out-of-band':
      return writer.opaque(new Uint8Array())
    case 'distribution-service':
      return writer
  }
}
