import { decodeWhole, type Decoded, type TlsReader } from '../tls/reader.js'
import { TlsWriter } from '../tls/writer.js'
import { readFrank, readText, readUri, writeText } from './common.js'

const MAX_MESSAGES = 32
const MAX_NOTE_BYTES = 8_192

export interface AbuseReport {
  /** Empty: the reporter stays unnamed. */
  readonly reportingUser: string
  readonly allegedAbuser: string
  readonly reasonCode: number
  readonly note: string
  /** How many messages came with it. They carry content, which this server keeps nowhere. */
  readonly messages: number
}

/** `AbuseReport` without messages: they would show their content to the hub. */
export function encodeAbuseReport({ reportingUser, allegedAbuser, reasonCode, note }: Omit<AbuseReport, 'messages'>): Uint8Array {
  const writer = writeText(writeText(new TlsWriter(), reportingUser), allegedAbuser)
  return writeText(writer.uint8(reasonCode), note).opaque(new Uint8Array()).opaque(new Uint8Array()).written()
}

/** `AbuseReport`; its messages are counted and passed over. Malformed for more than 32, or a note beyond 8 KiB. */
export function decodeAbuseReport(bytes: Uint8Array): Decoded<AbuseReport> {
  return decodeWhole(bytes, (reader) => {
    const [reportingUser, allegedAbuser] = [readUri(reader), readUri(reader)]
    const [reasonCode, note] = [reader.uint8(), readText(reader, MAX_NOTE_BYTES)]
    const messages = reader.vector(MAX_MESSAGES, skipMessage).length
    reader.opaque() // extensions, of which none is known
    return { reportingUser, allegedAbuser, reasonCode, note, messages }
  })
}

function skipMessage(reader: TlsReader): void {
  reader.opaque()
  readFrank(reader)
  reader.uint64()
}
