import type { TlsWriter } from '../../tls/writer.js'
import { decodeWhole, Malformed, type Decoded, type TlsReader } from '../../tls/reader.js'

/** Extension types of RFC 9420 §17.3 that the server looks into. */
export const EXTENSION_TYPES = {
  applicationId: 1,
  ratchetTree: 2,
  requiredCapabilities: 3,
  externalPub: 4,
  externalSenders: 5,
  appDataDictionary: 6, // draft-ietf-mls-extensions
} as const

/** Extension types that every client supports and none lists (RFC 9420 §7.2). */
export const DEFAULT_EXTENSIONS: ReadonlySet<number> = new Set([1, 2, 3, 4, 5])

const MAX_EXTENSIONS = 256
/** Most items of each list of a required_capabilities extension. */
const MAX_REQUIRED = 1024

/** RFC 9420 §7.2; unknown types, GREASE among them, are kept as they are. */
export interface Extension {
  readonly type: number
  readonly data: Uint8Array
}

/** `Extension extensions<V>` (RFC 9420 §7.2), of at most 256. @throws Malformed also where a type appears twice (§13.4) */
export function readExtensions(reader: TlsReader): Extension[] {
  const extensions = reader.vector(MAX_EXTENSIONS, (item) => ({ type: item.uint16(), data: item.opaque() }))
  if (new Set(extensions.map((extension) => extension.type)).size !== extensions.length) {
    throw new Malformed('an extension type appears twice in one list')
  }
  return extensions
}

/** `Extension extensions<V>` (RFC 9420 §7.2), in the order given. */
export function writeExtensions(writer: TlsWriter, extensions: readonly Extension[]): void {
  writer.vector(extensions, (item, { type, data }) => item.uint16(type).opaque(data))
}

/** The data of the extension of this type, not decoded; undefined if there is none. */
export function extensionData(extensions: readonly Extension[], type: number): Uint8Array | undefined {
  return extensions.find((extension) => extension.type === type)?.data
}

/** RFC 9420 §11.1: what each member has to list in its capabilities. */
export interface RequiredCapabilities {
  readonly extensions: readonly number[]
  readonly proposals: readonly number[]
  readonly credentials: readonly number[]
}

/** Decodes the data of a required_capabilities extension (RFC 9420 §11.1), of at most 1,024 types a list. Never throws. */
export function decodeRequiredCapabilities(extensionData: Uint8Array): Decoded<RequiredCapabilities> {
  return decodeWhole(extensionData, readRequiredCapabilities)
}

function readRequiredCapabilities(reader: TlsReader): RequiredCapabilities {
  const list = (): number[] => reader.vector(MAX_REQUIRED, (item) => item.uint16())
  return { extensions: list(), proposals: list(), credentials: list() }
}
