import { readMessage } from '../mls/message.js'
import { readCredential, writeCredential, type Credential } from '../mls/structures/credential.js'
import { readGroupInfo } from '../mls/structures/group-info.js'
import { decodeWhole, type Decoded, type TlsReader } from '../tls/reader.js'
import { TlsWriter } from '../tls/writer.js'
import { bytesOf, framed, readEnum, readProtocol, readUri, unframed, writeEnum, writeProtocol, writeText } from './common.js'
import { readTreeOption, writeTreeOption, type TreeOption } from './tree-option.js'

const MAX_PENDING = 1_024

export const GROUP_INFO_REQUEST_LABEL = 'GroupInfoRequestTBS'
export const GROUP_INFO_RESPONSE_LABEL = 'GroupInfoResponseTBS'
export const GROUP_INFO_ENCRYPTION_LABEL = 'GroupInfo and ratchet_tree encryption'

export interface GroupInfoRequest {
  readonly cipherSuite: number
  readonly signatureKey: Uint8Array
  readonly credential: Credential
  /** HPKE public key to which the answer is sealed. */
  readonly groupInfoKey: Uint8Array
  /** Empty: none. */
  readonly joiningCode: Uint8Array
}

export interface SignedGroupInfoRequest extends GroupInfoRequest {
  readonly signature: Uint8Array
  readonly tbs: Uint8Array
}

/** `GroupInfoRequestTBS`: what the joiner signs, with `GROUP_INFO_REQUEST_LABEL`. */
export function groupInfoRequestTbs(request: GroupInfoRequest): Uint8Array {
  const writer = writeProtocol(new TlsWriter()).uint16(request.cipherSuite).opaque(request.signatureKey)
  writeCredential(writer, request.credential)
  return writer.opaque(request.groupInfoKey).opaque(request.joiningCode).written()
}

/** `GroupInfoRequest`. @param tbs of `groupInfoRequestTbs` @param signature SignWithLabel over it (RFC 9420 §5.1.2) */
export function encodeGroupInfoRequest(tbs: Uint8Array, signature: Uint8Array): Uint8Array {
  return new TlsWriter().raw(tbs).opaque(signature).written()
}

/** `GroupInfoRequest`, with the bytes that its signature covers; whether it verifies, the caller finds out. */
export function decodeGroupInfoRequest(bytes: Uint8Array): Decoded<SignedGroupInfoRequest> {
  return decodeWhole(bytes, (reader) => {
    const start = reader.position
    readProtocol(reader)
    const fields = {
      cipherSuite: reader.uint16(),
      signatureKey: reader.opaque(),
      credential: readCredential(reader),
      groupInfoKey: reader.opaque(),
      joiningCode: reader.opaque(),
    }
    return { ...fields, tbs: reader.since(start), signature: reader.opaque() }
  })
}

/** `GroupInfoRatchetTreeTBE`: what a joiner needs, before it is sealed. GroupInfo and proposals are MLSMessages. */
export interface GroupInfoAndTree {
  readonly groupInfo: Uint8Array
  readonly tree: TreeOption
  readonly pending: readonly { readonly proposal: Uint8Array; readonly acceptedAtMs: bigint }[]
}

/** `GroupInfoRatchetTreeTBE`, to be sealed with `GROUP_INFO_ENCRYPTION_LABEL`; the GroupInfo loses its MLSMessage frame. */
export function encodeGroupInfoAndTree({ groupInfo, tree, pending }: GroupInfoAndTree): Uint8Array {
  return writeTreeOption(new TlsWriter().raw(unframed(groupInfo)), tree)
    .vector(pending, (item, { proposal, acceptedAtMs }) => item.raw(proposal).uint64(acceptedAtMs))
    .written()
}

/** `GroupInfoRatchetTreeTBE`; the GroupInfo gets its MLSMessage frame back. Malformed for more than 1,024 proposals. */
export function decodeGroupInfoAndTree(bytes: Uint8Array): Decoded<GroupInfoAndTree> {
  return decodeWhole(bytes, (reader) => {
    const groupInfo = framed('group-info', bytesOf(reader, readGroupInfo))
    const tree = readTreeOption(reader)
    const pending = reader.vector(MAX_PENDING, (item) => ({ proposal: readMessage(item).bytes, acceptedAtMs: item.uint64() }))
    return { groupInfo, tree, pending }
  })
}

const CODES = [undefined, 'success', 'not-authorized', 'no-such-room'] as const

export interface EncryptedGroupInfo {
  readonly cipherSuite: number
  /** `ExternalSender hub_sender`. */
  readonly hubKey: Uint8Array
  readonly hubCredential: Credential
  readonly kemOutput: Uint8Array
  readonly ciphertext: Uint8Array
}

export type GroupInfoResponse =
  | ({ readonly code: 'success'; readonly roomId: string; readonly signature: Uint8Array; readonly tbs: Uint8Array } & EncryptedGroupInfo)
  | { readonly code: 'not-authorized' | 'no-such-room'; readonly roomId: string }

/** `GroupInfoResponseTBS` of a success: what the hub signs, with `GROUP_INFO_RESPONSE_LABEL`. */
export function groupInfoResponseTbs(roomId: string, sealed: EncryptedGroupInfo): Uint8Array {
  const writer = writeEnum(writeText(writeProtocol(new TlsWriter()), roomId), CODES, 'success')
  writer.uint16(sealed.cipherSuite).opaque(sealed.hubKey)
  writeCredential(writer, sealed.hubCredential)
  return writer.opaque(sealed.kemOutput).opaque(sealed.ciphertext).written()
}

/** `GroupInfoResponse`. @param tbs of `groupInfoResponseTbs` @param signature SignWithLabel over it, by the hub's external sender key */
export function encodeGroupInfoResponse(tbs: Uint8Array, signature: Uint8Array): Uint8Array {
  return new TlsWriter().raw(tbs).opaque(signature).written()
}

/** `GroupInfoResponse` of a refusal, which has no GroupInfo and no signature. */
export function encodeGroupInfoRefusal(code: 'not-authorized' | 'no-such-room', roomId: string): Uint8Array {
  return writeEnum(writeText(writeProtocol(new TlsWriter()), roomId), CODES, code).written()
}

/** `GroupInfoResponse`; a success with the bytes that its signature covers. */
export function decodeGroupInfoResponse(bytes: Uint8Array): Decoded<GroupInfoResponse> {
  return decodeWhole(bytes, readResponse)
}

function readResponse(reader: TlsReader): GroupInfoResponse {
  const start = reader.position
  readProtocol(reader)
  const roomId = readUri(reader)
  const code = readEnum(reader, CODES)
  if (code !== 'success') return { code, roomId }
  const sealed = {
    cipherSuite: reader.uint16(),
    hubKey: reader.opaque(),
    hubCredential: readCredential(reader),
    kemOutput: reader.opaque(),
    ciphertext: reader.opaque(),
  }
  return { code, roomId, ...sealed, tbs: reader.since(start), signature: reader.opaque() }
}
