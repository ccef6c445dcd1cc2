import { randomBytes } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import type { Group } from '../../examples/client/group.js'
import { encodeDeleteRoomRequest } from '../../src/protocol/mimi/microchat/deletion.js'
import { decodeLogResponse, encodeLogRequest } from '../../src/protocol/mimi/microchat/notify-response.js'
import { useFederation } from '../support/federated-world.js'
import type { Provider } from '../support/federation.js'
import { boundRequest } from '../support/mimi-samples.js'
import { callPeer } from '../support/peer-call.js'
import { agreed, type World } from '../support/world.js'

const federated = useFederation(2)
const worlds = () => federated.worlds as [World, World]
const providers = () => federated.providers as [Provider, Provider]

describe('the log of a group', () => {
  /** What b.example gets of a.example: how many entries, if any. */
  const log = async (room: string, groupId: Uint8Array) => {
    const [a, b] = providers()
    const body = encodeLogRequest({ groupId, afterSeq: 0n })
    const answer = await callPeer(b, a, { endpoint: 'log', argument: room, body })
    const decoded = answer.status === 200 ? decodeLogResponse(answer.body) : undefined
    return { status: answer.status, entries: decoded?.kind === 'decoded' ? decoded.value.batch?.entries.length : undefined }
  }
  const nothing = { status: 200, entries: undefined }

  it('is shown in its room to a provider that has a part in it; to others nothing tells such a group from one that is not', async () => {
    const [home, away] = worlds()
    const [[alice, carol], [bob]] = await Promise.all([home.cast('alice', 'carol'), away.cast('bob')])
    const roomOf = async (group: Group) => (await alice.device.http.get<{ room: string }>(group.path)).room
    const common = await home.group(alice, [bob], { room: home.unique('common') })
    const own = await home.group(alice, [carol], { room: home.unique('own') })
    const theirs = await away.group(bob, [alice], { room: away.unique('theirs') })
    await agreed([bob], common)
    await agreed([alice], theirs)
    const [commonRoom, ownRoom, theirRoom] = [await roomOf(common), await roomOf(own), await roomOf(theirs)]
    expect(await log(commonRoom, common.record.groupId)).toEqual({ status: 200, entries: 1 })
    expect(await log(ownRoom, common.record.groupId)).toEqual(nothing)
    expect(await log('mimi://a.example/r/nowhere', common.record.groupId)).toEqual(nothing)
    expect(await log(ownRoom, own.record.groupId)).toEqual(nothing)
    expect(await log(commonRoom, randomBytes(16))).toEqual(nothing)
    expect(await log(theirRoom, theirs.record.groupId)).toEqual({ status: 404, entries: undefined })
  })
})

describe('a path and a body that name two', () => {
  it('users: no KeyPackages are asked for', async () => {
    const [a, b] = providers()
    const request = { requestingUser: 'mimi://b.example/u/bob', targetUser: 'mimi://a.example/u/alice' }
    const body = boundRequest(request, { madeAtMs: BigInt(Date.now()) })
    const ask = async (argument: string) => (await callPeer(b, a, { endpoint: 'keyMaterial', argument, body })).status
    expect(await ask('mimi://a.example/u/alice')).toBe(200)
    expect(await ask('mimi://a.example/u/carol')).toBe(422)
  })

  it('rooms: nothing is deleted', async () => {
    const [a, b] = providers()
    const body = encodeDeleteRoomRequest({ roomId: 'mimi://b.example/r/one', groupId: randomBytes(16), incarnation: 1 })
    const ask = async (argument: string) => (await callPeer(b, a, { endpoint: 'deleteRoom', argument, body })).status
    expect(await ask('mimi://b.example/r/one')).toBe(200)
    expect(await ask('mimi://b.example/r/two')).toBe(409)
  })
})
