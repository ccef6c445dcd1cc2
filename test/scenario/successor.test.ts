import { describe, expect, it } from '@jest/globals'
import type { Proposal } from 'ts-mls'
import type { Client } from '../../examples/client/client.js'
import type { Group } from '../../examples/client/group.js'
import { suiteName } from '../../examples/client/mls/suites.js'
import { toHex, utf8 } from '../../examples/client/wire.js'
import { at, heard, joined, MODES_AND_SUITES, problemOf, useWorld } from '../support/world.js'

interface View {
  room: string
  frozen?: string
  successor?: Uint8Array
}

describe.each(MODES_AND_SUITES)('a successor group in %s mode, suite %i', (mode, suite) => {
  const world = useWorld()

  it('takes the place of a group that enough users have reported', async () => {
    const [alice, bob, carol] = await world.cast('alice', 'bob', 'carol')
    const group = await world.group(alice, [bob, carol], { mode, suite, policy: { external_join: 'none', reports_to_reset: 2 } })
    await group.update()
    const report = (client: Client) => client.device.http.post(`${group.path}/reports`, { seq: 2, reason: 'undecryptable' })
    const reset = (client: Client) => client.device.http.post(`${group.path}/reset`)
    expect(await report(bob)).toEqual({ reports: 1, needed: 2 })
    expect((await problemOf(reset(bob))).status).toBe(403)
    expect(await report(carol)).toEqual({ reports: 2, needed: 2 })
    await reset(bob)
    expect((await problemOf(group.send('into a frozen group'))).kind).toBe('group-frozen')

    const { room } = await view(bob, group)
    const next = await bob.createGroup({
      groupId: utf8(`${toHex(group.record.groupId)}-b`),
      mode,
      suite,
      successorOf: group.record.groupId,
    })
    expect((await problemOf(carol.createGroup({ groupId: utf8('late'), mode, suite, successorOf: group.record.groupId }))).status).toBe(409)
    await next.add(alice.user, carol.user)
    for (const client of [alice, carol]) await joined(client, next.record.groupId)
    await at(carol, next).send('we continue')
    await heard([alice, bob], next, ['we continue'])
    expect((await view(alice, next)).room).toBe(room)
    expect((await view(alice, group)).successor).toEqual(next.record.groupId)
  })

  it('takes the place of a group that its members ended by ReInit', async () => {
    const [alice, bob] = await world.cast('alice', 'bob')
    const group = await world.group(alice, [bob], { mode, suite })
    const groupId = utf8(`${toHex(group.record.groupId)}-2`)
    const reinit: Proposal = {
      proposalType: 'reinit',
      reinit: { groupId, version: 'mls10', cipherSuite: suiteName(suite), extensions: [] },
    }
    await group.commit(() => [reinit])
    await bob.until('the ReInit', () => at(bob, group).record.state.groupActiveState.kind === 'suspendedPendingReinit')
    expect((await view(bob, group)).frozen).toBe('reinit')

    expect((await problemOf(bob.createGroup({ groupId, mode, suite, successorOf: group.record.groupId }))).kind).toBe('successor-reserved')
    const next = await alice.createGroup({ groupId, mode, suite, successorOf: group.record.groupId })
    await next.add(bob.user)
    await joined(bob, groupId)
    await next.send('new group, same room')
    await heard([bob], next, ['new group, same room'])
    expect((await view(alice, group)).successor).toEqual(groupId)
  })
})

function view(client: Client, group: Group): Promise<View> {
  return client.device.http.get<View>(group.path)
}
