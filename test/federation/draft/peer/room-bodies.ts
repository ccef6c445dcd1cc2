import { decodeMlsMessage } from 'ts-mls'
import { decodeGroupInfo } from 'ts-mls/groupInfo.js'
import { decodeWelcome } from 'ts-mls/welcome.js'
import { bytes, list, Malformed, opaque, optional, u64, u8, type Reader } from './codec.js'
import { MLS10, protocol } from './key-material.js'

// Bodies of draft-ietf-mimi-protocol-06 §5.3 to §5.5. Structures of MLS stay bytes.

/** An MLSMessage with its frame. */
export const readMessage = (reader: Reader): Uint8Array => reader.span((inside) => inside.mls(decodeMlsMessage))

export type ContentKind = 'application' | 'proposal' | 'commit' | 'welcome'

export function kindOf(message: Uint8Array): ContentKind {
  const decoded = decodeMlsMessage(message, 0)?.[0]
  switch (decoded?.wireformat) {
    case 'mls_welcome':
      return 'welcome'
    case 'mls_public_message':
      return decoded.publicMessage.content.contentType
    case 'mls_private_message':
      return decoded.privateMessage.contentType
    default:
      throw new Malformed('Neither a PublicMessage, a PrivateMessage nor a Welcome')
  }
}

const TREE = { full: 1, httpsUri: 2, outOfBand: 3, distributionService: 4 } as const

/** RatchetTreeOption (draft-mahy-mls-ratchet-tree-options §3): a tree, or nothing where the Distribution Service makes it. */
export function encodeTreeOption(tree: Uint8Array | undefined): Uint8Array {
  return tree === undefined ? u8(TREE.distributionService) : bytes(u8(TREE.full), tree)
}

/** @returns the ratchet_tree, encoded; undefined for one that does not come along */
export function readTreeOption(reader: Reader): Uint8Array | undefined {
  const representation = reader.u8()
  switch (representation) {
    case TREE.full:
      return reader.span((inside) => inside.opaque())
    case TREE.distributionService:
      return undefined
    case TREE.httpsUri:
      reader.opaque()
      return void reader.opaque()
    case TREE.outOfBand:
      return void reader.opaque()
    default:
      throw new Malformed(`No such representation of a tree: ${representation}`)
  }
}

export type HandshakeBundle = CommitBundle | ProposalBundle
export interface CommitBundle {
  readonly kind: 'commit'
  readonly message: Uint8Array
  /** Without the frame of an MLSMessage. */
  readonly welcome?: Uint8Array | undefined
  readonly groupInfo: Uint8Array
  readonly tree?: Uint8Array | undefined
}
export interface ProposalBundle {
  readonly kind: 'proposal'
  readonly message: Uint8Array
  readonly moreProposals: readonly Uint8Array[]
}

const FULL_GROUP_INFO = 1

export function encodeUpdateRequest(bundle: HandshakeBundle): Uint8Array {
  if (bundle.kind === 'proposal') return bytes(bundle.message, list(bundle.moreProposals))
  return bytes(bundle.message, optional(bundle.welcome), u8(FULL_GROUP_INFO), bundle.groupInfo, encodeTreeOption(bundle.tree))
}

export function readUpdateRequest(reader: Reader): HandshakeBundle {
  const message = readMessage(reader)
  const kind = kindOf(message)
  if (kind === 'proposal') return { kind, message, moreProposals: reader.list(readMessage) }
  if (kind !== 'commit') throw new Malformed(`Not a handshake: ${kind}`)
  const welcome = reader.optional((inside) => inside.span((within) => within.mls(decodeWelcome)))
  const representation = reader.u8()
  if (representation !== FULL_GROUP_INFO) throw new Malformed(`GroupInfoRepresentation ${representation}`)
  const groupInfo = reader.span((inside) => inside.mls(decodeGroupInfo))
  return { kind, message, welcome, groupInfo, tree: readTreeOption(reader) }
}

export const UPDATE_CODES = { success: 0, wrongEpoch: 1, notAllowed: 2, invalidProposal: 3 } as const

export interface UpdateResponse {
  readonly code: number
  readonly description: string
  readonly acceptedAt?: bigint
  readonly currentEpoch?: bigint
  readonly invalidProposals?: readonly Uint8Array[]
}

export function encodeUpdateResponse({ code, description, ...rest }: UpdateResponse): Uint8Array {
  const head = bytes(u8(code), opaque(description))
  if (code === UPDATE_CODES.success) return bytes(head, u64(rest.acceptedAt ?? 0n))
  if (code === UPDATE_CODES.wrongEpoch) return bytes(head, u64(rest.currentEpoch ?? 0n))
  return code === UPDATE_CODES.invalidProposal ? bytes(head, list((rest.invalidProposals ?? []).map(opaque))) : head
}

export function readUpdateResponse(reader: Reader): UpdateResponse {
  const head = { code: reader.u8(), description: reader.text() }
  if (head.code === UPDATE_CODES.success) return { ...head, acceptedAt: reader.u64() }
  if (head.code === UPDATE_CODES.wrongEpoch) return { ...head, currentEpoch: reader.u64() }
  if (head.code === UPDATE_CODES.invalidProposal) return { ...head, invalidProposals: reader.list((item) => item.opaque()) }
  if (head.code !== UPDATE_CODES.notAllowed) throw new Malformed(`No such UpdateResponseCode: ${head.code}`)
  return head
}

export interface SubmitRequest {
  readonly message: Uint8Array
  readonly sender: string
}

export function encodeSubmitRequest({ message, sender }: SubmitRequest): Uint8Array {
  return bytes(u8(MLS10), message, opaque(sender))
}

export function readSubmitRequest(reader: Reader): SubmitRequest {
  protocol(reader)
  return { message: readMessage(reader), sender: reader.text() }
}

export const SUBMIT_CODES = { accepted: 0, notAllowed: 1, epochTooOld: 2 } as const

export interface SubmitResponse {
  readonly code: number
  readonly acceptedAt?: bigint
  readonly currentEpoch?: bigint
}

export function encodeSubmitResponse({ code, acceptedAt, currentEpoch }: SubmitResponse): Uint8Array {
  const head = bytes(u8(MLS10), u8(code))
  if (code === SUBMIT_CODES.accepted) return bytes(head, u64(acceptedAt ?? 0n), optional(undefined))
  return code === SUBMIT_CODES.epochTooOld ? bytes(head, u64(currentEpoch ?? 0n)) : head
}

export function readSubmitResponse(reader: Reader): SubmitResponse {
  protocol(reader)
  const code = reader.u8()
  if (code === SUBMIT_CODES.accepted) {
    const acceptedAt = reader.u64()
    reader.optional(readFrank)
    return { code, acceptedAt }
  }
  if (code === SUBMIT_CODES.epochTooOld) return { code, currentEpoch: reader.u64() }
  if (code !== SUBMIT_CODES.notAllowed) throw new Malformed(`No such SubmitResponseCode: ${code}`)
  return { code }
}

export function readFrank(reader: Reader): void {
  reader.take(32)
  reader.u16()
  reader.opaque()
}

export interface Fanout {
  /** Milliseconds since 1970. */
  readonly timestamp: bigint
  readonly kind: ContentKind
  readonly message: Uint8Array
  /** Of a Welcome. */
  readonly tree?: Uint8Array | undefined
  /** More Proposals beside a Proposal, or those of the hub for the epoch that an external Commit began. */
  readonly others?: readonly Uint8Array[]
}

export function encodeFanout({ timestamp, kind, message, tree, others }: Fanout): Uint8Array {
  const head = bytes(u64(timestamp), message)
  if (kind === 'application') return bytes(head, optional(undefined))
  return kind === 'welcome' ? bytes(head, encodeTreeOption(tree)) : bytes(head, list(others ?? []))
}

function readFanout(reader: Reader): Fanout {
  const timestamp = reader.u64()
  const message = readMessage(reader)
  const kind = kindOf(message)
  if (kind === 'application') {
    reader.optional(readFrank)
    return { timestamp, kind, message }
  }
  if (kind === 'welcome') return { timestamp, kind, message, tree: readTreeOption(reader) }
  return { timestamp, kind, message, others: reader.list(readMessage) }
}

/** A body of notify: FanoutMessages one after another. */
export function readFanouts(reader: Reader): Fanout[] {
  const found: Fanout[] = []
  while (!reader.done) found.push(readFanout(reader))
  return found
}
