import { decodeWhole, type Decoded, type TlsReader } from '../../tls/reader.js'

const MAX_REQUIRED = 1024

/** RFC 9420 §11.1: what each member has to list in its capabilities. */
export interface RequiredCapabilities {
  readonly extensions: readonly number[]
  readonly proposals: readonly number[]
  readonly credentials: readonly number[]
}

/** Decodes the data of a required_capabilities extension. */
export function decodeRequiredCapabilities(extensionData: Uint8Array): Decoded<RequiredCapabilities> {
  return decodeWhole(extensionData, readRequiredCapabilities)
}

function readRequiredCapabilities(reader: TlsReader): RequiredCapabilities {
  const list = (): number[] => reader.vector(MAX_REQUIRED, (item) => item.uint16())
  return { extensions: list(), proposals: list(), credentials: list() }
}
