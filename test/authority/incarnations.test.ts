import { describe, expect, it } from '@jest/globals'
import { createProposal, encodeMlsMessage } from 'ts-mls'
import type { Client } from '../../examples/client/client.js'
import type { Group } from '../../examples/client/group.js'
import { joinExternally } from '../../examples/client/joining.js'
import { suite } from '../../examples/client/mls/suites.js'
import { at, draft, refusal, useStage } from '../groups/group-fixture.js'

const stage = useStage()

async function recovered(): Promise<number> {
  const { rows } = await stage.pool.query<{ incarnation: number }>('SELECT incarnation FROM recovered()')
  return rows[0]!.incarnation
}

/** What a device sends that is in an epoch which the restore has lost. The members who go on have another epoch of that number. */
async function submissions(group: Group): Promise<[kind: string, path: string, body: object][]> {
  const { state, suite: id, mode } = group.record
  const { message } = await createProposal(
    state,
    mode === 'public',
    { proposalType: 'group_context_extensions', groupContextExtensions: { extensions: [] } },
    (await suite(id)).impl,
  )
  return [
    ['message', 'messages', { message: await group.encrypt('from the time before', group.epoch) }],
    ['proposal', 'proposals', { proposal: encodeMlsMessage(message) }],
    ['commit', 'commits', (await draft(group, [])).bundle],
  ]
}

describe.each(['public', 'private'] as const)('after a restore, in a %s group,', (mode) => {
  /** Alice's last Commit is lost; bob goes on from the restored log and makes another epoch 2. */
  async function twoBranches() {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob], { mode })
    const lost = await draft(group, [])
    group.record.state = lost.next
    const incarnation = await recovered()
    at(bob, group).record.incarnation = incarnation
    await at(bob, group).update()
    expect([group.epoch, at(bob, group).epoch]).toEqual([2, 2])
    return { alice, bob, group, incarnation }
  }
  const send = (by: Client, group: Group, path: string, body: object) => by.device.http.post(`${group.path}/${path}`, body)

  it('nothing of a device that is in the lost branch is taken, whether it names its incarnation or none', async () => {
    const { alice, bob, group, incarnation } = await twoBranches()
    const before = await stage.log(group)
    for (const [kind, path, body] of await submissions(group)) {
      const named = await refusal(send(alice, group, path, { ...body, incarnation: 1 }))
      expect([kind, named]).toEqual([kind, expect.objectContaining({ status: 409, kind: 'incarnation-changed' })])
      expect(named.document).toMatchObject({ incarnation, current_epoch: 2 })
      expect(await refusal(send(alice, group, path, body))).toMatchObject({ status: 409, kind: 'incarnation-changed' })
    }
    const raw = alice.device.http.postMessage(`${group.path}/messages`, await group.encrypt('as it is', 2), 1)
    expect(await refusal(raw)).toMatchObject({ status: 409, kind: 'incarnation-changed' })
    expect(await stage.log(group)).toEqual(before)
    expect((await at(bob, group).send('goes on')).incarnation).toBe(incarnation)
  })

  it('that device comes back by an external Commit', async () => {
    const { alice, bob, group, incarnation } = await twoBranches()
    const { groupId, suite: id } = group.record
    alice.store.put(await joinExternally(alice.device, { groupId, mode, suite: id, resync: true }))
    await stage.sync(bob)
    expect(alice.store.group(groupId)).toMatchObject({ incarnation, standing: 'member' })
    expect(at(bob, group).epoch).toBe(3)
  })

  it('a client that names none goes on in an epoch that was never used twice', async () => {
    const [alice] = await stage.cast('alice')
    const group = await stage.group(alice, [], { mode })
    await recovered()
    const message = await group.encrypt('of the epoch that the backup has', group.epoch)
    expect(await send(alice, group, 'messages', { message })).toMatchObject({ seq: 1 })
    expect(
      await refusal(send(alice, group, 'messages', { message: await group.encrypt('named', group.epoch), incarnation: 1 })),
    ).toMatchObject({
      kind: 'incarnation-changed',
    })
  })

  it('the same bytes still get their acceptance', async () => {
    const [alice] = await stage.cast('alice')
    const group = await stage.group(alice, [], { mode })
    const message = await group.encrypt('sent before the backup', group.epoch)
    const first = await send(alice, group, 'messages', { message, incarnation: 1 })
    await recovered()
    expect(await send(alice, group, 'messages', { message, incarnation: 1 })).toMatchObject({ seq: (first as { seq: number }).seq })
  })
})
