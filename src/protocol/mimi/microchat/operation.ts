import { decodeWhole, type Decoded } from '../../tls/reader.js'
import { TlsWriter } from '../../tls/writer.js'
import { readGroup, readText, readUri, writeText } from '../common.js'

/** A call of the client API that only the hub can answer, made for a client of the sender's. `args` and `result` are CBOR. */
export interface OperationRequest {
  readonly operation: string
  readonly client: string
  readonly groupId: Uint8Array
  readonly args: Uint8Array
}

/** `OperationRequest` (docs/federation-profile.md, Bodies of this profile). */
export function encodeOperationRequest({ operation, client, groupId, args }: OperationRequest): Uint8Array {
  return writeText(writeText(new TlsWriter(), operation), client).opaque(groupId).opaque(args).written()
}

/** `OperationRequest`. Whether there is such an operation, and whether `args` are CBOR, is not looked at. */
export function decodeOperationRequest(bytes: Uint8Array): Decoded<OperationRequest> {
  return decodeWhole(bytes, (reader) => ({
    operation: readText(reader),
    client: readUri(reader),
    groupId: readGroup(reader),
    args: reader.opaque(),
  }))
}

/** Either a result or a problem document, the other empty. */
export interface OperationResponse {
  readonly result: Uint8Array
  readonly problem: Uint8Array
}

/** `OperationResponse`: result or problem, the other of no bytes. */
export function encodeOperationResponse({ result, problem }: OperationResponse): Uint8Array {
  return new TlsWriter().opaque(result).opaque(problem).written()
}

/** `OperationResponse`; that one of the two is empty is for the caller to see. */
export function decodeOperationResponse(bytes: Uint8Array): Decoded<OperationResponse> {
  return decodeWhole(bytes, (reader) => ({ result: reader.opaque(), problem: reader.opaque() }))
}
