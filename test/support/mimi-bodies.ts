import { randomBytes } from 'node:crypto'
import type { Decoded } from '../../src/protocol/tls/reader.js'
import { decodeConsentEntry, encodeConsentEntry } from '../../src/protocol/mimi/consent.js'
import { decodeFanoutMessage, encodeFanoutMessage } from '../../src/protocol/mimi/fanout-message.js'
import * as groupInfo from '../../src/protocol/mimi/group-info.js'
import * as query from '../../src/protocol/mimi/identifier-query.js'
import * as keyMaterial from '../../src/protocol/mimi/key-material.js'
import { decodeAbuseReport, encodeAbuseReport } from '../../src/protocol/mimi/report-abuse.js'
import * as submit from '../../src/protocol/mimi/submit-message.js'
import * as update from '../../src/protocol/mimi/update.js'
import {
  privateMessage,
  PROPOSAL,
  GROUP_INFO,
  KEY_PACKAGE,
  TREE,
  COMMIT_UPDATE,
  KEY_REQUEST,
  INFO_REQUEST,
  SEALED,
  BATCH,
  ALICE,
  BOB,
  ROOM,
} from './mimi-samples.js'

export interface Body {
  value: object
  bytes: Uint8Array
  decode: (bytes: Uint8Array) => Decoded<object>
}
export const body = <T extends object>(
  value: T,
  encode: (value: T) => Uint8Array,
  decode: (bytes: Uint8Array) => Decoded<object>,
): Body => ({
  value,
  bytes: encode(value),
  decode,
})

/** One value of each body of the draft, as this server encodes it. */
export const DRAFT_BODIES: [string, Body][] = [
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
]
