import { decodeWhole, type Decoded } from '../../tls/reader.js'
import { TlsWriter } from '../../tls/writer.js'
import { bytesOf, readUri, writeText } from '../common.js'
import { readKeyMaterialRequest, type SignedKeyMaterialRequest } from '../key-material.js'

/** The label of the signature over the whole (SignWithLabel, RFC 9420 §5.1.2). */
export const EXTENDED_KEY_MATERIAL_LABEL = 'ExtendedKeyMaterialRequestTBS'
/** Random bytes, so that two requests are never the same. */
export const NONCE_BYTES = 16

/** What a request is bound to beside its room. */
export interface RequestBinding {
  /** Domain of the hub that it goes through. */
  readonly hub: string
  /** When it was made, by the client's clock: milliseconds since 1970. */
  readonly madeAtMs: bigint
  readonly nonce: Uint8Array
}

export interface BoundKeyMaterialRequest extends SignedKeyMaterialRequest, RequestBinding {
  readonly signature: Uint8Array
  /** ExtendedKeyMaterialRequestTBS, with the draft's whole request. */
  readonly tbs: Uint8Array
}

/** `ExtendedKeyMaterialRequestTBS`. @param base a whole `KeyMaterialRequest`, signed */
export function extendedKeyMaterialTbs(base: Uint8Array, { hub, madeAtMs, nonce }: RequestBinding): Uint8Array {
  return writeText(new TlsWriter().raw(base), hub).uint64(madeAtMs).raw(nonce).written()
}

/** `ExtendedKeyMaterialRequest` (docs/federation-profile.md). @param signature SignWithLabel over `tbs`, by the key in the request */
export function encodeExtendedKeyMaterialRequest(tbs: Uint8Array, signature: Uint8Array): Uint8Array {
  return new TlsWriter().raw(tbs).opaque(signature).written()
}

/** `ExtendedKeyMaterialRequest`; whether its signature verifies, and whether it is of now, the caller finds out. */
export function decodeExtendedKeyMaterialRequest(bytes: Uint8Array): Decoded<BoundKeyMaterialRequest> {
  return decodeWhole(bytes, (reader) => {
    const start = reader.position
    const base = readKeyMaterialRequest(reader)
    const binding = { hub: readUri(reader), madeAtMs: reader.uint64(), nonce: reader.fixed(NONCE_BYTES) }
    const tbs = reader.since(start)
    return { ...base, ...binding, tbs, signature: reader.opaque() }
  })
}

/** The draft's request in one that is bound, for a provider that speaks the draft alone; what is no bound request stays as it is. */
export function draftRequestIn(bytes: Uint8Array): Uint8Array {
  const decoded = decodeWhole(bytes, (reader) => {
    const base = bytesOf(reader, readKeyMaterialRequest)
    readUri(reader)
    reader.fixed(8 + NONCE_BYTES)
    reader.opaque()
    return { base }
  })
  return decoded.kind === 'decoded' ? decoded.value.base : bytes
}
