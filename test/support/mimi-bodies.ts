import { randomBytes } from 'node:crypto'
import { encodePrivateMessage } from './mls/encode.js'
import { Forge, forgeGroupInfo, forgeKeyPackage, forgeWelcome, newKey } from './mls/forge.js'
import { proposals } from './mls/proposals.js'
import { treeBytes } from '../../src/protocol/public-group/state.js'
import type { Decoded } from '../../src/protocol/tls/reader.js'
import { decodeConsentEntry, encodeConsentEntry } from '../../src/protocol/mimi/consent.js'
import { decodeFanoutMessage, encodeFanoutMessage } from '../../src/protocol/mimi/fanout-message.js'
import * as groupInfo from '../../src/protocol/mimi/group-info.js'
import * as query from '../../src/protocol/mimi/identifier-query.js'
import * as keyMaterial from '../../src/protocol/mimi/key-material.js'
import {
  decodeDeleteRoomRequest,
  decodeDeletionReceipt,
  encodeDeleteRoomRequest,
  encodeDeletionReceipt,
} from '../../src/protocol/mimi/microchat/deletion.js'
import { decodeNotifyBatch, encodeNotifyBatch, type NotifyBatch } from '../../src/protocol/mimi/microchat/notify-batch.js'
import * as notify from '../../src/protocol/mimi/microchat/notify-response.js'
import * as operation from '../../src/protocol/mimi/microchat/operation.js'
import * as submissions from '../../src/protocol/mimi/microchat/submissions.js'
import { decodeAbuseReport, encodeAbuseReport } from '../../src/protocol/mimi/report-abuse.js'
import * as submit from '../../src/protocol/mimi/submit-message.js'
import * as update from '../../src/protocol/mimi/update.js'

const frame = (wireFormat: number, body: Uint8Array) => Buffer.concat([Buffer.of(0, 1, 0, wireFormat), body])
export const privateMessage = (contentType: 'application' | 'proposal' | 'commit') =>
  frame(
    2,
    encodePrivateMessage({
      groupId: Buffer.from('g'),
      epoch: 1n,
      contentType,
      authenticatedData: new Uint8Array(),
      encryptedSenderData: randomBytes(16),
      ciphertext: randomBytes(32),
    }),
  )

const forge = await Forge.group(2)
export const PROPOSAL = await forge.proposal(proposals.remove(1))
export const COMMIT = await forge.commit([], await forge.path([], 0))
export const GROUP_INFO = await forgeGroupInfo(forge.state.groupContext, forge.key(0), {})
const WELCOME = forgeWelcome([randomBytes(32)])
const KEY_PACKAGE = await forgeKeyPackage(newKey(1), 'mimi://b.example/d/bob/phone')
const TREE = { kind: 'full', tree: treeBytes(forge.state) } as const
const CREDENTIAL = { kind: 'basic', identity: Buffer.from('mimi://a.example/d/alice/phone') } as const
const ACCEPTED = { seq: 7n, epoch: 4n, incarnation: 1, chain: randomBytes(32) }
const COMMIT_UPDATE = { kind: 'commit', commit: COMMIT, welcome: WELCOME, groupInfo: GROUP_INFO, tree: TREE } as const
const [ALICE, BOB, ROOM] = ['mimi://a.example/u/alice', 'mimi://b.example/u/bob', 'mimi://a.example/r/room']
const NOTHING = new Uint8Array()

const KEY_REQUEST = {
  requestingUser: ALICE,
  targetUser: BOB,
  roomId: ROOM,
  cipherSuites: [1, 2],
  required: { extensions: [3], proposals: [], credentials: [1] },
  signatureKey: randomBytes(32),
  credential: CREDENTIAL,
}
const INFO_REQUEST = {
  cipherSuite: 1,
  signatureKey: randomBytes(32),
  credential: CREDENTIAL,
  groupInfoKey: randomBytes(32),
  joiningCode: Buffer.from('code'),
}
const SEALED = {
  cipherSuite: 1,
  hubKey: randomBytes(32),
  hubCredential: CREDENTIAL,
  kemOutput: randomBytes(32),
  ciphertext: randomBytes(64),
}
const BATCH: NotifyBatch = {
  groupId: Buffer.from('g'),
  roomId: ROOM,
  mode: 'public',
  cipherSuite: 1,
  incarnation: 1,
  postFloor: 2n,
  frozen: 'reinit',
  successor: Buffer.from('h'),
  gap: 'none',
  firstSeq: 5n,
  previousChain: randomBytes(32),
  entries: [
    { kind: 'commit', epoch: 3n, message: { acceptedAtMs: 9n, message: COMMIT, kind: 'commit', proposals: [] } },
    {
      kind: 'application',
      epoch: 4n,
      message: { acceptedAtMs: 9n, message: privateMessage('application'), kind: 'application', proposals: [] },
    },
  ],
  roster: [{ seq: 5n, change: 'left', ended: 'revoked', client: 'mimi://b.example/d/bob/phone' }],
  welcomes: [
    {
      seq: 5n,
      epoch: 4n,
      expiresAtMs: 10n,
      clients: ['mimi://b.example/d/bob/phone'],
      message: { acceptedAtMs: 9n, message: WELCOME, kind: 'welcome', tree: TREE, proposals: [] },
    },
  ],
  head: { keyId: 'k1', signature: randomBytes(64) },
}
export const RECEIPT = {
  roomId: ROOM,
  groupId: Buffer.from('g'),
  incarnation: 1,
  deletedEntries: 5n,
  deletedAtMs: 6n,
  keyId: 'k1',
  signature: randomBytes(64),
}

export interface Body {
  value: object
  bytes: Uint8Array
  decode: (bytes: Uint8Array) => Decoded<object>
}
const body = <T extends object>(value: T, encode: (value: T) => Uint8Array, decode: (bytes: Uint8Array) => Decoded<object>): Body => ({
  value,
  bytes: encode(value),
  decode,
})

/** One value of each body between providers, as this server encodes it. */
export const BODIES: [string, Body][] = [
  [
    'KeyMaterialRequest',
    body(
      { ...KEY_REQUEST, signature: randomBytes(64) },
      (it) => keyMaterial.encodeKeyMaterialRequest(keyMaterial.keyMaterialRequestTbs(it), it.signature),
      keyMaterial.decodeKeyMaterialRequest,
    ),
  ],
  [
    'KeyMaterialResponse',
    body<keyMaterial.KeyMaterialResponse>(
      {
        userStatus: 'partial-success',
        user: BOB,
        clients: [
          { status: 'success', client: 'mimi://b.example/d/bob/phone', keyPackage: KEY_PACKAGE },
          { status: 'nothing-compatible', client: 'mimi://b.example/d/bob/pad' },
          { status: 'key-material-exhausted', client: 'mimi://b.example/d/bob/pc' },
        ],
      },
      keyMaterial.encodeKeyMaterialResponse,
      keyMaterial.decodeKeyMaterialResponse,
    ),
  ],
  ['UpdateRequest of a Commit', body<update.UpdateRequest>(COMMIT_UPDATE, update.encodeUpdateRequest, update.decodeUpdateRequest)],
  [
    'UpdateRequest of a bare private Commit',
    body<update.UpdateRequest>(
      {
        kind: 'commit',
        commit: privateMessage('commit'),
        welcome: undefined,
        groupInfo: undefined,
        tree: { kind: 'distribution-service' },
      },
      update.encodeUpdateRequest,
      update.decodeUpdateRequest,
    ),
  ],
  [
    'UpdateRequest of Proposals',
    body<update.UpdateRequest>(
      { kind: 'proposals', proposals: [PROPOSAL, privateMessage('proposal')] },
      update.encodeUpdateRequest,
      update.decodeUpdateRequest,
    ),
  ],
  ...(
    [
      { code: 'success', description: '', acceptedAtMs: 1n },
      { code: 'wrong-epoch', description: 'é', currentEpoch: 4n },
      { code: 'not-allowed', description: 'x' },
      { code: 'invalid-proposal', description: '', invalid: [randomBytes(32)] },
    ] as const
  ).map((it): [string, Body] => [
    `UpdateRoomResponse ${it.code}`,
    body<update.UpdateResponse>(it, update.encodeUpdateResponse, update.decodeUpdateResponse),
  ]),
  [
    'SubmitMessageRequest',
    body({ message: privateMessage('application'), sendingUri: BOB }, submit.encodeSubmitMessageRequest, submit.decodeSubmitMessageRequest),
  ],
  ...([{ code: 'accepted', acceptedAtMs: 1n }, { code: 'not-allowed' }, { code: 'epoch-too-old', currentEpoch: 2n }] as const).map(
    (it): [string, Body] => [
      `SubmitMessageResponse ${it.code}`,
      body<submit.SubmitMessageResponse>(it, submit.encodeSubmitMessageResponse, submit.decodeSubmitMessageResponse),
    ],
  ),
  ...[
    BATCH.entries[0]!.message,
    BATCH.entries[1]!.message,
    BATCH.welcomes[0]!.message,
    { acceptedAtMs: 1n, message: PROPOSAL, kind: 'proposal' as const, proposals: [PROPOSAL] },
  ].map((it): [string, Body] => [`FanoutMessage of a ${it.kind}`, body(it, encodeFanoutMessage, decodeFanoutMessage)]),
  [
    'GroupInfoRequest',
    body(
      { ...INFO_REQUEST, signature: randomBytes(64) },
      (it) => groupInfo.encodeGroupInfoRequest(groupInfo.groupInfoRequestTbs(it), it.signature),
      groupInfo.decodeGroupInfoRequest,
    ),
  ],
  [
    'GroupInfoResponse',
    body(
      { code: 'success', roomId: ROOM, ...SEALED, signature: randomBytes(64) },
      (it) => groupInfo.encodeGroupInfoResponse(groupInfo.groupInfoResponseTbs(it.roomId, it), it.signature),
      groupInfo.decodeGroupInfoResponse,
    ),
  ],
  [
    'GroupInfoResponse of a refusal',
    body(
      { code: 'no-such-room' as const, roomId: ROOM },
      (it) => groupInfo.encodeGroupInfoRefusal(it.code, it.roomId),
      groupInfo.decodeGroupInfoResponse,
    ),
  ],
  [
    'GroupInfoRatchetTreeTBE',
    body(
      { groupInfo: GROUP_INFO, tree: TREE, pending: [{ proposal: PROPOSAL, acceptedAtMs: 3n }] },
      groupInfo.encodeGroupInfoAndTree,
      groupInfo.decodeGroupInfoAndTree,
    ),
  ],
  [
    'ConsentEntry of a grant',
    body(
      { operation: 'grant' as const, requester: ALICE, target: BOB, roomId: ROOM, keyPackages: [KEY_PACKAGE] },
      encodeConsentEntry,
      decodeConsentEntry,
    ),
  ],
  [
    'ConsentEntry of a request',
    body(
      { operation: 'request' as const, requester: ALICE, target: BOB, roomId: undefined, keyPackages: [] },
      encodeConsentEntry,
      decodeConsentEntry,
    ),
  ],
  [
    'IdentifierRequest',
    body(
      {
        elements: [
          { type: 'nick' as const, field: undefined, value: 'bob' },
          { type: 'vcard-field' as const, field: 'ORG', value: 'x' },
        ],
      },
      query.encodeIdentifierRequest,
      query.decodeIdentifierRequest,
    ),
  ],
  ['IdentifierResponse', body({ code: 'success' as const, uris: [BOB] }, query.encodeIdentifierResponse, query.decodeIdentifierResponse)],
  [
    'AbuseReport',
    body({ reportingUser: BOB, allegedAbuser: ALICE, reasonCode: 1, note: 'spam', messages: 0 }, encodeAbuseReport, decodeAbuseReport),
  ],
  [
    'ExtendedUpdateRequest',
    body(
      {
        base: COMMIT_UPDATE,
        sendingClient: 'mimi://b.example/d/bob/phone',
        moreWelcomes: [WELCOME],
        joinCode: 'sesame',
        removed: [ALICE],
        reinit: true,
      },
      submissions.encodeExtendedUpdateRequest,
      submissions.decodeExtendedUpdateRequest,
    ),
  ],
  [
    'ExtendedUpdateResponse',
    body<submissions.Extended<update.UpdateResponse>>(
      { base: { code: 'success', description: '', acceptedAtMs: 1n }, accepted: ACCEPTED, problem: NOTHING },
      submissions.encodeExtendedUpdateResponse,
      submissions.decodeExtendedUpdateResponse,
    ),
  ],
  [
    'ExtendedSubmitResponse',
    body<submissions.Extended<submit.SubmitMessageResponse>>(
      { base: { code: 'not-allowed' }, accepted: undefined, problem: randomBytes(9) },
      submissions.encodeExtendedSubmitResponse,
      submissions.decodeExtendedSubmitResponse,
    ),
  ],
  ['NotifyBatch', body(BATCH, encodeNotifyBatch, decodeNotifyBatch)],
  [
    'NotifyResponse',
    body({ code: 'have' as const, incarnation: 1, receivedThrough: 4n }, notify.encodeNotifyResponse, notify.decodeNotifyResponse),
  ],
  ['LogRequest', body({ groupId: Buffer.from('g'), afterSeq: 4n }, notify.encodeLogRequest, notify.decodeLogRequest)],
  [
    'LogResponse',
    body({ batch: BATCH as NotifyBatch | undefined }, ({ batch }) => notify.encodeLogResponse(batch), notify.decodeLogResponse),
  ],
  [
    'OperationRequest',
    body(
      { operation: 'leave', client: 'mimi://b.example/d/bob/phone', groupId: Buffer.from('g'), args: randomBytes(5) },
      operation.encodeOperationRequest,
      operation.decodeOperationRequest,
    ),
  ],
  [
    'OperationResponse',
    body({ result: randomBytes(5), problem: NOTHING }, operation.encodeOperationResponse, operation.decodeOperationResponse),
  ],
  [
    'DeleteRoomRequest',
    body({ roomId: ROOM, groupId: Buffer.from('g'), incarnation: 1 }, encodeDeleteRoomRequest, decodeDeleteRoomRequest),
  ],
  ['DeletionReceipt', body(RECEIPT, encodeDeletionReceipt, decodeDeletionReceipt)],
]
