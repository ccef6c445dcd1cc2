import type { TlsReader } from '../tls/reader.js'

const SERVER_FRANK_BYTES = 32

/** `Frank`: read so that what follows it is found; this server neither makes nor checks one. */
export function readFrank(reader: TlsReader): void {
  reader.fixed(SERVER_FRANK_BYTES)
  reader.uint16() // cipher suite of the signature
  reader.opaque()
}
