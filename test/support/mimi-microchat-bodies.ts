import { randomBytes } from 'node:crypto'
import {
  decodeDeleteRoomRequest,
  decodeDeletionReceipt,
  encodeDeleteRoomRequest,
  encodeDeletionReceipt,
} from '../../src/protocol/mimi/microchat/deletion.js'
import { encodeKeyMaterialRequest, keyMaterialRequestTbs } from '../../src/protocol/mimi/key-material.js'
import {
  decodeExtendedKeyMaterialRequest,
  encodeExtendedKeyMaterialRequest,
  extendedKeyMaterialTbs,
} from '../../src/protocol/mimi/microchat/key-material-request.js'
import { decodeSharedGroup, encodeSharedGroup } from '../../src/protocol/mimi/microchat/shared-group.js'
import { decodeNotifyBatch, encodeNotifyBatch } from '../../src/protocol/mimi/microchat/notify-batch.js'
import * as notify from '../../src/protocol/mimi/microchat/notify-response.js'
import * as operation from '../../src/protocol/mimi/microchat/operation.js'
import * as submissions from '../../src/protocol/mimi/microchat/submissions.js'
import * as submit from '../../src/protocol/mimi/submit-message.js'
import * as update from '../../src/protocol/mimi/update.js'
import { body, type Body } from './mimi-bodies.js'
import { WELCOME, ACCEPTED, COMMIT_UPDATE, NOTHING, BATCH, BINDING, KEY_REQUEST, RECEIPT, ALICE, ROOM } from './mimi-samples.js'

/** One value of each body that the draft has not, as this server encodes it. */
export const MICROCHAT_BODIES: [string, Body][] = [
  [
    'ExtendedKeyMaterialRequest',
    body(
      { ...KEY_REQUEST, ...BINDING, signature: randomBytes(64) },
      ({ signature, ...it }) => {
        const base = encodeKeyMaterialRequest(keyMaterialRequestTbs(it), randomBytes(64))
        return encodeExtendedKeyMaterialRequest(extendedKeyMaterialTbs(base, it), signature)
      },
      decodeExtendedKeyMaterialRequest,
    ),
  ],
  [
    'SharedGroup',
    body({ groupId: Buffer.from('g'), roomId: ROOM, places: [{ seq: 7n, chain: randomBytes(32) }] }, encodeSharedGroup, decodeSharedGroup),
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
  ['LogResponse', body({ batch: BATCH }, ({ batch }) => notify.encodeLogResponse(batch), notify.decodeLogResponse)],
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
