import { randomUUID } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import type { Client } from '../../examples/client/client.js'
import type { Group } from '../../examples/client/group.js'
import { toHex, utf8 } from '../../examples/client/wire.js'
import { followGroup } from '../../src/groups/home/homes.repository.js'
import { encodeDeleteRoomRequest } from '../../src/protocol/mimi/microchat/deletion.js'
import { reinitOf } from '../authority/scene-fixture.js'
import { draft, submit } from '../groups/group-fixture.js'
import { useFederation } from '../support/federated-world.js'
import type { Provider } from '../support/federation.js'
import { callPeer } from '../support/peer-call.js'
import { agreed, at, heard, joined, problemOf, type World } from '../support/world.js'

const reset = (client: Client, group: Group) => client.device.http.post(`${group.path}/reset`)
const undo = (client: Client, group: Group) => client.device.http.delete(`${group.path}/reset`)
const frozen = (client: Client, group: Group) => client.until('the freeze', () => at(client, group).record.frozen === 'reset')
const goesOn = (client: Client, group: Group) =>
  client.until('that it goes on', () => {
    const { record } = at(client, group)
    return record.frozen === undefined && client.notices.some(({ kind }) => kind === 'group.thawed')
  })
const successorOf = (client: Client, group: Group, next: Group) =>
  client.until('the successor', () => {
    const { successor } = at(client, group).record
    return successor !== undefined && toHex(successor) === toHex(next.record.groupId)
  })

describe.each(['public', 'private'] as const)('a room of two providers, its group %s', (mode) => {
  const federated = useFederation(2)
  const cast = async () => {
    const [home, away] = federated.worlds as [World, World]
    const [alice, carol] = await home.cast('alice', 'carol')
    const [bob] = await away.cast('bob')
    const group = await home.group(alice, [carol, bob], { mode })
    await agreed([carol, bob], group)
    return { alice, bob, carol, group }
  }

  it('tells all members that its group was reset, and of the successor before its Welcome', async () => {
    const { alice, bob, carol, group } = await cast()
    await reset(alice, group)
    for (const client of [carol, bob]) await frozen(client, group)
    const next = await alice.createGroup({ groupId: utf8(randomUUID()), mode, successorOf: group.record.groupId })
    for (const client of [carol, bob]) await successorOf(client, group, next)
    const expected = async () => (await alice.device.http.get<{ expected?: string[] }>(next.path)).expected
    expect(await expected()).toEqual([bob.uri, carol.uri].sort())
    await next.add(carol.user, bob.user)
    for (const client of [carol, bob]) await joined(client, next.record.groupId)
    expect(await expected()).toBeUndefined()
    for (const { notices } of [carol, bob]) {
      const place = (kind: string) => notices.findLastIndex((notice) => notice.kind === kind)
      expect(place('group.frozen')).toBeLessThan(place('welcome'))
    }
    await at(bob, next).send('we go on here')
    await heard([alice, carol], next, ['we go on here'])
  })

  it('tells all members that a reset was undone, and goes on', async () => {
    const { alice, bob, carol, group } = await cast()
    await reset(alice, group)
    for (const client of [carol, bob]) await frozen(client, group)
    expect((await problemOf(at(bob, group).send('too late'))).kind).toBe('group-frozen')
    await undo(alice, group)
    for (const client of [carol, bob]) await goesOn(client, group)
    await at(bob, group).send('here again')
    await heard([alice, carol], group, ['here again'])
  })

  it('obeys an admin elsewhere', async () => {
    const { alice, bob, carol, group } = await cast()
    expect((await problemOf(reset(bob, group))).kind).toBe('policy')
    await alice.device.http.put(`${group.path}/admins?user=${encodeURIComponent(bob.user)}`)
    await reset(bob, group)
    for (const client of [alice, carol, bob]) await frozen(client, group)
    expect((await problemOf(undo(carol, group))).kind).toBe('forbidden')
    await undo(bob, group)
    for (const client of [alice, carol, bob]) await goesOn(client, group)
    await group.send('here again')
    await heard([bob, carol], group, ['here again'])
  })

  it('keeps the id that a ReInit announces, also from a provider that says it has such a group', async () => {
    const { alice, group } = await cast()
    const [a, b] = federated.providers as [Provider, Provider]
    const proposal = reinitOf(group)
    if (proposal.proposalType !== 'reinit' || !('groupId' in proposal.reinit)) throw new Error('no ReInit')
    const { groupId } = proposal.reinit
    await submit(alice, group, (await draft(group, [proposal])).bundle)
    const roomId = 'mimi://b.example/r/mine'
    expect(await followGroup(a.pool, { mlsGroupId: groupId, hub: 'b.example', roomId }, 'found')).not.toEqual(Buffer.from(groupId))
    const body = encodeDeleteRoomRequest({ roomId, groupId, incarnation: 1 })
    expect((await callPeer(b, a, { endpoint: 'deleteRoom', argument: roomId, body })).status).toBe(200)
    const next = await alice.createGroup({ groupId, mode, successorOf: group.record.groupId })
    await next.update()
  })
})
