import { readMessage } from '../mls/message.js'
import { decodeWhole, Malformed, type Decoded, type TlsReader } from '../tls/reader.js'
import { TlsWriter } from '../tls/writer.js'
import { readEnum, readFrank, readProtocol, readUri, writeEnum, writeProtocol, writeText } from './common.js'

export interface SubmitMessageRequest {
  /** MLSMessage: a PrivateMessage with application data. */
  readonly message: Uint8Array
  /** A participant of the room; here, which device posts. */
  readonly sendingUri: string
}

/** `SubmitMessageRequest`. */
export function writeSubmitMessageRequest(writer: TlsWriter, { message, sendingUri }: SubmitMessageRequest): TlsWriter {
  return writeText(writeProtocol(writer).raw(message), sendingUri)
}

/** `SubmitMessageRequest`. @throws Malformed for any message but a PrivateMessage with application data */
export function readSubmitMessageRequest(reader: TlsReader): SubmitMessageRequest {
  readProtocol(reader)
  const message = readMessage(reader)
  if (message.wireFormat !== 'private-message' || message.body.contentType !== 'application')
    throw new Malformed('the message is not a PrivateMessage with application data')
  return { message: message.bytes, sendingUri: readUri(reader) }
}

/** `SubmitMessageRequest`, the body of submitMessage. */
export function encodeSubmitMessageRequest(request: SubmitMessageRequest): Uint8Array {
  return writeSubmitMessageRequest(new TlsWriter(), request).written()
}

/** The opposite of `encodeSubmitMessageRequest`. */
export function decodeSubmitMessageRequest(bytes: Uint8Array): Decoded<SubmitMessageRequest> {
  return decodeWhole(bytes, readSubmitMessageRequest)
}

const CODES = ['accepted', 'not-allowed', 'epoch-too-old'] as const

export type SubmitMessageResponse =
  | { readonly code: 'accepted'; readonly acceptedAtMs: bigint }
  | { readonly code: 'not-allowed' }
  | { readonly code: 'epoch-too-old'; readonly currentEpoch: bigint }

/** `SubmitMessageResponse`, without a frank. */
export function writeSubmitMessageResponse(writer: TlsWriter, response: SubmitMessageResponse): TlsWriter {
  writeEnum(writeProtocol(writer), CODES, response.code)
  switch (response.code) {
    case 'accepted':
      return writer.uint64(response.acceptedAtMs).uint8(0) // no frank
    case 'epoch-too-old':
      return writer.uint64(response.currentEpoch)
    case 'not-allowed':
      return writer
  }
}

/** `SubmitMessageResponse`; a frank is passed over. */
export function readSubmitMessageResponse(reader: TlsReader): SubmitMessageResponse {
  readProtocol(reader)
  const code = readEnum(reader, CODES)
  switch (code) {
    case 'accepted': {
      const acceptedAtMs = reader.uint64()
      reader.optional(readFrank)
      return { code, acceptedAtMs }
    }
    case 'epoch-too-old':
      return { code, currentEpoch: reader.uint64() }
    case 'not-allowed':
      return { code }
  }
}

/** `SubmitMessageResponse` alone, as the draft has it. */
export function encodeSubmitMessageResponse(response: SubmitMessageResponse): Uint8Array {
  return writeSubmitMessageResponse(new TlsWriter(), response).written()
}

/** The opposite of `encodeSubmitMessageResponse`. */
export function decodeSubmitMessageResponse(bytes: Uint8Array): Decoded<SubmitMessageResponse> {
  return decodeWhole(bytes, readSubmitMessageResponse)
}
