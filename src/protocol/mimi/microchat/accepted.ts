import type { TlsReader } from '../../tls/reader.js'
import type { TlsWriter } from '../../tls/writer.js'

export const CHAIN_BYTES = 32

/** Where the hub's log has the entry; the draft's responses tell a time only. */
export interface AcceptedEntry {
  readonly seq: bigint
  /** Of the group after the entry. */
  readonly epoch: bigint
  readonly incarnation: number
  readonly chain: Uint8Array
}

export function writeAccepted(writer: TlsWriter, { seq, epoch, incarnation, chain }: AcceptedEntry): TlsWriter {
  return writer.uint64(seq).uint64(epoch).uint32(incarnation).raw(chain)
}

export function readAccepted(reader: TlsReader): AcceptedEntry {
  return { seq: reader.uint64(), epoch: reader.uint64(), incarnation: reader.uint32(), chain: reader.fixed(CHAIN_BYTES) }
}
