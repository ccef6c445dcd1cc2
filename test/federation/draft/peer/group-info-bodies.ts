import { decodeCredential } from 'ts-mls/credential.js'
import { decodeGroupInfo } from 'ts-mls/groupInfo.js'
import { bytes, list, Malformed, opaque, u16, u64, u8, type Reader } from './codec.js'
import { MLS10, protocol } from './key-material.js'
import { encodeTreeOption, readMessage, readTreeOption } from './room-bodies.js'

// Bodies of draft-ietf-mimi-protocol-06 §5.6.

export interface GroupInfoTbs {
  readonly suite: number
  readonly signatureKey: Uint8Array
  /** A Credential, encoded. */
  readonly credential: Uint8Array
  readonly hpkeKey: Uint8Array
  readonly joiningCode?: Uint8Array | undefined
}

export function encodeGroupInfoTbs({ suite, signatureKey, credential, hpkeKey, joiningCode }: GroupInfoTbs): Uint8Array {
  return bytes(u8(MLS10), u16(suite), opaque(signatureKey), credential, opaque(hpkeKey), opaque(joiningCode ?? new Uint8Array()))
}

export interface GroupInfoRequest extends GroupInfoTbs {
  readonly tbs: Uint8Array
  readonly signature: Uint8Array
}

export function readGroupInfoRequest(reader: Reader): GroupInfoRequest {
  const start = reader.at
  protocol(reader)
  const content: GroupInfoTbs = {
    suite: reader.u16(),
    signatureKey: reader.opaque(),
    credential: reader.span((inside) => inside.mls(decodeCredential)),
    hpkeKey: reader.opaque(),
    joiningCode: reader.opaque(),
  }
  const tbs = reader.bytes.slice(start, reader.at)
  return { ...content, tbs, signature: reader.opaque() }
}

export const GROUP_INFO_CODES = { success: 1, notAuthorized: 2, noSuchRoom: 3 } as const

export interface SealedGroupInfo {
  readonly suite: number
  /** ExternalSender, encoded, and the key in it. */
  readonly hubSender: Uint8Array
  readonly hubKey: Uint8Array
  readonly kemOutput: Uint8Array
  readonly ciphertext: Uint8Array
}

export interface GroupInfoResponse {
  readonly room: string
  readonly status: number
  /** With success only. */
  readonly sealed?: SealedGroupInfo & { readonly tbs: Uint8Array; readonly signature: Uint8Array }
}

const responseHead = (room: string, status: number): Uint8Array => bytes(u8(MLS10), opaque(room), u8(status))

export function encodeGroupInfoResponseTbs(room: string, { suite, hubSender, kemOutput, ciphertext }: Omit<SealedGroupInfo, 'hubKey'>) {
  return bytes(responseHead(room, GROUP_INFO_CODES.success), u16(suite), hubSender, opaque(kemOutput), opaque(ciphertext))
}

export const encodeGroupInfoRefusal = responseHead

export function readGroupInfoResponse(reader: Reader): GroupInfoResponse {
  const start = reader.at
  protocol(reader)
  const [room, status] = [reader.text(), reader.u8()]
  if (status !== GROUP_INFO_CODES.success) {
    if (status !== GROUP_INFO_CODES.notAuthorized && status !== GROUP_INFO_CODES.noSuchRoom) throw new Malformed(`GroupInfoCode ${status}`)
    return { room, status }
  }
  const suite = reader.u16()
  let hubKey: Uint8Array = new Uint8Array()
  const hubSender = reader.span((inside) => {
    hubKey = inside.opaque()
    inside.mls(decodeCredential)
  })
  const [kemOutput, ciphertext] = [reader.opaque(), reader.opaque()]
  const tbs = reader.bytes.slice(start, reader.at)
  return { room, status, sealed: { suite, hubSender, hubKey, kemOutput, ciphertext, tbs, signature: reader.opaque() } }
}

export interface OpenGroupInfo {
  readonly groupInfo: Uint8Array
  readonly tree: Uint8Array | undefined
  readonly pending: readonly { readonly proposal: Uint8Array; readonly acceptedAt: bigint }[]
}

export function encodeOpenGroupInfo({ groupInfo, tree, pending }: OpenGroupInfo): Uint8Array {
  return bytes(groupInfo, encodeTreeOption(tree), list(pending.map(({ proposal, acceptedAt }) => bytes(proposal, u64(acceptedAt)))))
}

export function readOpenGroupInfo(reader: Reader): OpenGroupInfo {
  return {
    groupInfo: reader.span((inside) => inside.mls(decodeGroupInfo)),
    tree: readTreeOption(reader),
    pending: reader.list((item) => ({ proposal: readMessage(item), acceptedAt: item.u64() })),
  }
}
