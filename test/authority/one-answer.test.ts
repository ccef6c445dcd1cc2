import { randomUUID } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import type { Client } from '../../examples/client/client.js'
import { toBase64Url, utf8 } from '../../examples/client/wire.js'
import { TlsWriter } from '../../src/protocol/tls/writer.js'
import { useStage } from '../groups/group-fixture.js'
import { emptyPrivateMessage } from '../groups/hostile.js'
import { proposals } from '../support/mls/proposals.js'

const stage = useStage()

/** Everything of an answer but the name of the request. */
async function whole({ device }: Client, method: string, path: string, headers: Record<string, string>, body?: Uint8Array | string) {
  const response = await fetch(`${stage.server.url}${path}`, {
    method,
    headers: { ...device.http.credentials(method, `${stage.server.url}${path}`), ...headers },
    ...(body === undefined ? {} : { body }),
  })
  const { instance: _, ...problem } = (await response.json()) as Record<string, unknown>
  return { status: response.status, problem }
}

/** A Remove as an external sender makes it (RFC 9420 §12.1.8.1), which nobody has signed. */
function externalProposal(groupId: Uint8Array): Uint8Array {
  const framed = new TlsWriter().uint16(1).uint16(1).opaque(groupId).uint64(0n).uint8(2).uint32(0).opaque(new Uint8Array())
  return framed.uint8(2).raw(proposals.remove(0)).opaque(new Uint8Array(64)).written()
}

describe.each(['none', 'same-user', 'code'] as const)('a stranger to a group with external joins by "%s"', (external_join) => {
  it('gets the answers for a group that does not exist', async () => {
    const [alice, mallory] = await stage.cast('alice', 'mallory')
    const code = external_join === 'code' ? { join_code: 'open sesame' } : {}
    const { record } = await stage.group(alice, [], { policy: { external_join, ...code } })
    const requests: [string, string, Record<string, string>, (groupId: Uint8Array) => Uint8Array | string | undefined][] = [
      ...['', '/policy', '/log', '/group-info', '/tree', '/sender-keys'].map(
        (place): [string, string, Record<string, string>, () => undefined] => ['GET', place, {}, () => undefined],
      ),
      ['GET', '/group-info', { 'join-code': 'open barley' }, () => undefined],
      ['POST', '/messages', { 'content-type': 'message/mls' }, (groupId) => emptyPrivateMessage(groupId, 0n, 1)],
      ['POST', '/proposals', { 'content-type': 'message/mls' }, externalProposal],
      ['POST', '/leave', {}, () => undefined],
      ['POST', '/reset', {}, () => undefined],
      ['DELETE', '', {}, () => undefined],
      ['PUT', '/policy', { 'content-type': 'application/json' }, () => '{"add_members":"admins"}'],
    ]
    for (const [method, place, headers, body] of requests) {
      const ask = (groupId: Uint8Array) => whole(mallory, method, `/v1/groups/${toBase64Url(groupId)}${place}`, headers, body(groupId))
      const [there, nowhere] = [await ask(record.groupId), await ask(utf8(randomUUID()))]
      expect({ method, place, ...there }).toEqual({ method, place, ...nowhere })
      expect(there.status).toBe(404)
    }
  })

  it.each<[string, (groupId: Uint8Array) => Uint8Array]>([
    ['/messages', (groupId) => emptyPrivateMessage(groupId, 0n, 1)],
    ['/proposals', externalProposal],
  ])('gets the same answer to a message of another group: %s', async (place, message) => {
    const [alice, mallory] = await stage.cast('alice', 'mallory')
    const { record } = await stage.group(alice, [], {
      policy: { external_join, ...(external_join === 'code' && { join_code: 'open sesame' }) },
    })
    const ask = (groupId: Uint8Array) =>
      whole(mallory, 'POST', `/v1/groups/${toBase64Url(groupId)}${place}`, { 'content-type': 'message/mls' }, message(utf8(randomUUID())))
    const there = await ask(record.groupId)
    expect(there).toEqual(await ask(utf8(randomUUID())))
    expect(there.status).toBe(422)
  })
})

describe('in the successor of a group', () => {
  it('an admin who is not in yet, and who was thrown out before, hear everywhere that they are no members', async () => {
    const [alice, bob, erin] = await stage.cast('alice', 'bob', 'erin')
    const group = await stage.group(alice, [bob, erin])
    await alice.device.http.put(`${group.path}/admins/${bob.user.split('/u/')[1]!}`)
    await group.remove(erin.uri)
    await alice.device.http.post(`${group.path}/reset`)
    const next = await alice.createGroup({ groupId: utf8(randomUUID()), successorOf: group.record.groupId })
    const places = ['/log', '/sender-keys'].map((place) => ['GET', place] as const)
    for (const client of [bob, erin])
      for (const [method, place] of [...places, ['POST', '/leave'] as const])
        expect({ place, ...(await whole(client, method, next.path + place, {})) }).toMatchObject({ place, status: 403 })
  })
})
