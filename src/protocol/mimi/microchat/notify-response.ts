import { decodeWhole, type Decoded } from '../../tls/reader.js'
import { TlsWriter } from '../../tls/writer.js'
import { readEnum, readGroup, writeEnum } from '../common.js'
import { readNotifyBatch, writeNotifyBatch, type NotifyBatch } from './notify-batch.js'

const CODES = ['received', 'have', 'stopped'] as const

/**
 * How far the follower has stored the group. `have`: nothing of the batch was taken, as it does not begin where the replica ends;
 * `stopped`: nor will anything be, until people have looked at it.
 */
export interface NotifyResponse {
  readonly code: (typeof CODES)[number]
  readonly incarnation: number
  readonly receivedThrough: bigint
}

/** `NotifyResponse`, the answer to `notify`. */
export function encodeNotifyResponse({ code, incarnation, receivedThrough }: NotifyResponse): Uint8Array {
  return writeEnum(new TlsWriter(), CODES, code).uint32(incarnation).uint64(receivedThrough).written()
}

/** `NotifyResponse`. */
export function decodeNotifyResponse(bytes: Uint8Array): Decoded<NotifyResponse> {
  return decodeWhole(bytes, (reader) => ({
    code: readEnum(reader, CODES),
    incarnation: reader.uint32(),
    receivedThrough: reader.uint64(),
  }))
}

/** A follower asks for what it has not. */
export interface LogRequest {
  readonly groupId: Uint8Array
  readonly afterSeq: bigint
}

/** `LogRequest`: what comes after `afterSeq`. */
export function encodeLogRequest({ groupId, afterSeq }: LogRequest): Uint8Array {
  return new TlsWriter().opaque(groupId).uint64(afterSeq).written()
}

/** `LogRequest`. */
export function decodeLogRequest(bytes: Uint8Array): Decoded<LogRequest> {
  return decodeWhole(bytes, (reader) => ({ groupId: readGroup(reader), afterSeq: reader.uint64() }))
}

/** The next run of entries; undefined: there is none now. */
export function encodeLogResponse(batch: NotifyBatch | undefined): Uint8Array {
  return new TlsWriter().optional(batch, writeNotifyBatch).written()
}

/** The opposite of `encodeLogResponse`. */
export function decodeLogResponse(bytes: Uint8Array): Decoded<{ batch: NotifyBatch | undefined }> {
  return decodeWhole(bytes, (reader) => ({ batch: reader.optional(readNotifyBatch) }))
}
