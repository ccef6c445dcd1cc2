import { describe, expect, it } from '@jest/globals'
import { type Endpoint } from '../../src/federation/identity/endpoints.js'
import { encodeCbor } from '../../src/platform/http/encode.js'
import { encodeConsentEntry } from '../../src/protocol/mimi/consent.js'
import { encodeIdentifierRequest } from '../../src/protocol/mimi/identifier-query.js'
import { encodeDeleteRoomRequest } from '../../src/protocol/mimi/microchat/deletion.js'
import { encodeNotifyBatch } from '../../src/protocol/mimi/microchat/notify-batch.js'
import { encodeLogRequest } from '../../src/protocol/mimi/microchat/notify-response.js'
import { encodeOperationRequest } from '../../src/protocol/mimi/microchat/operation.js'
import { encodeExtendedUpdateRequest } from '../../src/protocol/mimi/microchat/submissions.js'
import { encodeAbuseReport } from '../../src/protocol/mimi/report-abuse.js'
import { encodeSubmitMessageRequest } from '../../src/protocol/mimi/submit-message.js'
import { useFederation } from '../support/federated-world.js'
import type { Provider } from '../support/federation.js'
import { BATCH, boundRequest, COMMIT_UPDATE, type KEY_REQUEST, NOTHING, privateMessage } from '../support/mimi-samples.js'
import { callPeer } from '../support/peer-call.js'
import type { World } from '../support/world.js'

const federated = useFederation(2)
/** What b.example sends to a.example, well signed. */
const send = async (endpoint: Endpoint, argument: string, body: Uint8Array) => {
  const [a, b] = federated.providers as [Provider, Provider]
  const { status, body: answer } = await callPeer(b, a, { endpoint, argument, body })
  const text = Buffer.from(answer).toString('latin1')
  return { status, text, type: /urn:microchat:problem:([a-z-]+)/.exec(text)?.[1] }
}

const [HERE, THEIRS] = ['mimi://a.example/r/room', 'mimi://b.example/r/room']
const [ALICE, BOB, PHONE] = ['mimi://a.example/u/alice', 'mimi://b.example/u/bob', 'mimi://b.example/d/bob/phone']
const [LONG, GROUP] = [Buffer.alloc(9_000, 1), Buffer.from('g')]
const NUL = 'x\0'

const update = { base: COMMIT_UPDATE, sendingClient: PHONE, moreWelcomes: [], joinCode: undefined, removed: [], reinit: false }
const operation = { operation: 'group', client: PHONE, groupId: GROUP, args: encodeCbor({}) }
const batch = { ...BATCH, roomId: THEIRS }
const consent = { requester: BOB, target: ALICE, roomId: undefined, keyPackages: [] }
const asking = { operation: 'request' as const, ...consent }
const telling = { ...consent, operation: 'revoke' as const, requester: ALICE, target: BOB }
const abuse = { reportingUser: BOB, allegedAbuser: ALICE, reasonCode: 0, note: '' }
const nick = { type: 'nick' as const, field: undefined, value: 'bob' }
const claim = (change: Partial<typeof KEY_REQUEST>) =>
  boundRequest({ requestingUser: BOB, targetUser: ALICE, ...change }, { madeAtMs: BigInt(Date.now()) })
const bareCommit = (groupId: Uint8Array) => ({
  kind: 'commit' as const,
  commit: privateMessage('commit', groupId),
  welcome: undefined,
  groupInfo: undefined,
  tree: { kind: 'distribution-service' as const },
})

const BODIES: [Endpoint, string, string, Uint8Array][] = [
  ['keyMaterial', 'a NUL in the target', ALICE, claim({ targetUser: NUL })],
  ['keyMaterial', 'a NUL in the room', ALICE, claim({ roomId: `${HERE}\0` })],
  ['keyMaterial', 'no room', ALICE, claim({ roomId: 'mimi://a.example/r/No room' })],
  ['update', 'a NUL in the client', HERE, encodeExtendedUpdateRequest({ ...update, sendingClient: `${PHONE}\0` })],
  ['update', 'a NUL in the joining code', HERE, encodeExtendedUpdateRequest({ ...update, joinCode: NUL })],
  ['update', 'a NUL in who is removed', HERE, encodeExtendedUpdateRequest({ ...update, removed: [NUL] })],
  [
    'submitMessage',
    'a NUL in the client',
    HERE,
    encodeSubmitMessageRequest({ message: privateMessage('application'), sendingUri: `${PHONE}\0` }),
  ],
  ['notify', 'a NUL in the room', THEIRS, encodeNotifyBatch({ ...batch, roomId: `${THEIRS}\0` })],
  ['notify', 'another thing than a room', THEIRS, encodeNotifyBatch({ ...batch, roomId: BOB })],
  ['notify', 'a long group id', THEIRS, encodeNotifyBatch({ ...batch, groupId: LONG })],
  ['notify', 'a long successor', THEIRS, encodeNotifyBatch({ ...batch, successor: LONG })],
  ['notify', 'a NUL in a key id', THEIRS, encodeNotifyBatch({ ...batch, head: { ...BATCH.head, keyId: NUL } })],
  [
    'notify',
    'a line break in the roster',
    THEIRS,
    encodeNotifyBatch({ ...batch, roster: [{ ...BATCH.roster[0]!, client: `${PHONE}\n` }] }),
  ],
  ['notify', 'a NUL in a receiver', THEIRS, encodeNotifyBatch({ ...batch, welcomes: [{ ...BATCH.welcomes[0]!, clients: [NUL] }] })],
  ['requestConsent', 'a NUL in the target', 'a.example', encodeConsentEntry({ ...asking, target: `${ALICE}\0` })],
  ['requestConsent', 'a NUL in the room', 'a.example', encodeConsentEntry({ ...asking, roomId: `${HERE}\0` })],
  ['updateConsent', 'a line break in the requester', 'a.example', encodeConsentEntry({ ...telling, requester: `${ALICE}\n` })],
  ['updateConsent', 'no room', 'a.example', encodeConsentEntry({ ...telling, roomId: 'room' })],
  ['identifierQuery', 'a NUL', 'a.example', encodeIdentifierRequest({ elements: [{ ...nick, value: NUL }] })],
  ['reportAbuse', 'a NUL in the reporter', HERE, encodeAbuseReport({ ...abuse, reportingUser: `${BOB}\0` })],
  ['reportAbuse', 'a NUL in the note', HERE, encodeAbuseReport({ ...abuse, note: NUL })],
  ['log', 'a long group id', HERE, encodeLogRequest({ groupId: LONG, afterSeq: 0n })],
  ['log', 'no group id', HERE, encodeLogRequest({ groupId: NOTHING, afterSeq: 0n })],
  ['deleteRoom', 'a NUL in the room', THEIRS, encodeDeleteRoomRequest({ roomId: `${THEIRS}\0`, groupId: GROUP, incarnation: 1 })],
  ['deleteRoom', 'a long group id', THEIRS, encodeDeleteRoomRequest({ roomId: THEIRS, groupId: LONG, incarnation: 1 })],
  ['operation', 'a NUL in the name', HERE, encodeOperationRequest({ ...operation, operation: NUL })],
  ['operation', 'a NUL in the client', HERE, encodeOperationRequest({ ...operation, client: `${PHONE}\0` })],
  ['operation', 'a long group id', HERE, encodeOperationRequest({ ...operation, groupId: LONG })],
  ['groupInfo', 'bytes without sense', HERE, Buffer.alloc(9_000, 1)],
  ['issueTokens', 'bytes without sense', 'a.example', Buffer.alloc(9_000)],
  ['submitSealed', 'bytes without sense', 'a.example', Buffer.alloc(9_000)],
]

const PATHS: [Endpoint, Uint8Array][] = [
  ['update', encodeExtendedUpdateRequest(update)],
  ['submitMessage', encodeSubmitMessageRequest({ message: privateMessage('application'), sendingUri: PHONE })],
  ['notify', encodeNotifyBatch(batch)],
  ['groupInfo', NOTHING],
  ['requestConsent', encodeConsentEntry(asking)],
  ['updateConsent', encodeConsentEntry(telling)],
  ['identifierQuery', encodeIdentifierRequest({ elements: [nick] })],
  ['reportAbuse', encodeAbuseReport(abuse)],
  ['log', encodeLogRequest({ groupId: GROUP, afterSeq: 0n })],
  ['deleteRoom', encodeDeleteRoomRequest({ roomId: THEIRS, groupId: GROUP, incarnation: 1 })],
  ['operation', encodeOperationRequest(operation)],
  ['room', NOTHING],
  ['keyMaterial', claim({})],
  ['directory', NOTHING],
  ['tokenDirectory', NOTHING],
  ['issueTokens', NOTHING],
  ['sealedKeys', NOTHING],
  ['submitSealed', NOTHING],
]

describe('a peer that signs what nothing here can hold', () => {
  it.each(BODIES)('is refused at %s: %s', async (endpoint, _what, argument, body) => {
    expect(await send(endpoint, argument, body)).toMatchObject({ status: 422, type: 'undecodable' })
  })

  it.each(PATHS)('finds nothing at %s with a variable that names nothing', async (endpoint, body) => {
    for (const argument of ['\0', `${HERE}\0`, `${ALICE}\0`, 'a.example\0', 'mimi://a.example/r/No room', 'x'.repeat(900)])
      expect([argument, (await send(endpoint, argument, body)).status]).toEqual([argument, 404])
  })

  it('is refused in the arguments of an operation and in messages, too', async () => {
    const [home, away] = federated.worlds as [World, World]
    const [[alice], [bob]] = await Promise.all([home.cast('alice'), away.cast('bob')])
    const group = await home.group(alice, [bob], { room: home.unique('args') })
    const { room } = await alice.device.http.get<{ room: string }>(group.path)
    const { groupId } = group.record
    const { client } = bob.device
    for (const [name, args] of Object.entries({ 'group-info': { join_code: NUL }, ban: { user: NUL }, report: { seq: 1, reason: NUL } })) {
      const body = encodeOperationRequest({ operation: name, client, groupId, args: encodeCbor(args) })
      expect([name, (await send('operation', room, body)).status]).toEqual([name, 200])
    }
    const told = encodeSubmitMessageRequest({ message: privateMessage('application', LONG), sendingUri: client })
    const changed = encodeExtendedUpdateRequest({ ...update, base: bareCommit(LONG), sendingClient: client })
    for (const [endpoint, body] of [
      ['submitMessage', told],
      ['update', changed],
    ] as const)
      expect((await send(endpoint, room, body)).text).toMatch(/undecodable.*names no group/s)
  })
})
