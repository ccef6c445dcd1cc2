import { randomUUID } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { createProposal, encodeMlsMessage } from 'ts-mls'
import type { Client } from '../../examples/client/client.js'
import type { Group } from '../../examples/client/group.js'
import { suite } from '../../examples/client/mls/suites.js'
import { toBase64Url, utf8 } from '../../examples/client/wire.js'
import { deleteLeftovers, havingLeftovers } from '../../src/delivery/retention/retention.repository.js'
import { at, draft, refusal, submit, useStage } from '../groups/group-fixture.js'
import { reinitOf } from './scene-fixture.js'
import { POLICY, RESERVED, reset, succeed, undo, view } from './rooms-fixture.js'

const stage = useStage()

/** Commits a ReInit. @returns the id that it announces */
async function reinitialize(client: Client, group: Group): Promise<Uint8Array> {
  const proposal = reinitOf(at(client, group))
  await submit(client, group, (await draft(at(client, group), [proposal])).bundle)
  if (proposal.proposalType !== 'reinit' || !('groupId' in proposal.reinit)) throw new Error('no ReInit')
  return proposal.reinit.groupId
}

describe.each(['public', 'private'] as const)('the id that the ReInit of a %s group announces', (mode) => {
  it('is for its successor alone', async () => {
    const [alice, mallory] = await stage.cast('alice', 'mallory')
    const group = await stage.group(alice, [mallory], { mode, policy: POLICY })
    const announced = await reinitialize(alice, group)
    expect(await refusal(mallory.createGroup({ groupId: announced, mode }))).toMatchObject({ status: 409, kind: 'group-exists' })
    const own = await stage.group(mallory, [], { mode })
    await reset(mallory, own)
    expect(await refusal(succeed(mallory, own, announced))).toMatchObject({ status: 409, kind: 'group-exists' })
    expect(await refusal(succeed(mallory, group, announced))).toMatchObject(RESERVED)
    expect(await refusal(succeed(alice, group))).toMatchObject({ status: 422, document: { rule: 'reinit-mismatch' } })
    await succeed(alice, group, announced)
  })

  it('is one that nobody has, or has announced', async () => {
    const [alice, mallory] = await stage.cast('alice', 'mallory')
    const taken = await stage.group(mallory, [], { mode })
    const [group, other] = [await stage.group(alice, [mallory], { mode }), await stage.group(mallory, [], { mode })]
    const reinitTo = async (client: Client, of: Group, groupId: Uint8Array) => {
      const { cipherSuite, extensions } = of.record.state.groupContext
      const proposal = { proposalType: 'reinit', reinit: { groupId, version: 'mls10', cipherSuite, extensions } } as const
      await submit(client, of, (await draft(of, [proposal])).bundle)
    }
    expect(await refusal(reinitTo(alice, group, taken.record.groupId))).toMatchObject({ status: 409, kind: 'group-exists' })
    expect(await refusal(reinitTo(alice, group, group.record.groupId))).toMatchObject({ status: 409, kind: 'group-exists' })
    const announced = utf8(randomUUID())
    const both = await Promise.allSettled([reinitTo(alice, group, announced), reinitTo(mallory, other, announced)])
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  })

  it('does not bind any more where an admin makes a reset of it', async () => {
    const [alice, mallory] = await stage.cast('alice', 'mallory')
    const group = await stage.group(alice, [mallory], { mode })
    const announced = await reinitialize(alice, group)
    expect(await refusal(reset(mallory, group))).toMatchObject({ status: 409, kind: 'group-frozen' })
    await reset(alice, group)
    await mallory.createGroup({ groupId: announced, mode })
    expect(await refusal(undo(alice, group))).toMatchObject({ status: 409, kind: 'reset-final' })
    await succeed(alice, group)
  })
})

describe('a group that a ReInit ended', () => {
  it('does not go on as after a reset, also when retention has taken its Commit', async () => {
    const [alice] = await stage.cast('alice')
    const group = await stage.group(alice)
    await reinitialize(alice, group)
    const gid = await stage.gid(group)
    await stage.pool.query('UPDATE groups SET floor_seq = head_seq WHERE gid = $1', [gid])
    await deleteLeftovers(stage.pool, gid)
    await reset(alice, group)
    expect(await refusal(undo(alice, group))).toMatchObject({ status: 409, kind: 'reset-final' })
    expect(await havingLeftovers(stage.pool, [gid])).toEqual([])
  })
})

describe('a ReInit Proposal', () => {
  it('is void once somebody has taken the id that it announces, and stops nobody', async () => {
    const [alice, bob, mallory] = await stage.cast('alice', 'bob', 'mallory')
    const group = await stage.group(alice, [bob, mallory])
    const proposal = reinitOf(group)
    if (proposal.proposalType !== 'reinit' || !('groupId' in proposal.reinit)) throw new Error('no ReInit')
    const { message } = await createProposal(group.record.state, true, proposal, (await suite(1)).impl)
    await alice.device.http.post(`${group.path}/proposals`, { proposal: encodeMlsMessage(message) })
    await mallory.createGroup({ groupId: proposal.reinit.groupId })
    await stage.sync(alice, bob)
    expect(await refusal(submit(bob, group, (await draft(at(bob, group))).bundle))).toMatchObject({ status: 409, kind: 'proposals-void' })
    await at(bob, group).update()
    await at(bob, group).send('we go on')
    expect(toBase64Url((await view(bob, group)).group_id)).toBe(toBase64Url(group.record.groupId))
  })

  it('is refused with an id that no group can have', async () => {
    const [alice] = await stage.cast('alice')
    const group = await stage.group(alice)
    const { cipherSuite, extensions } = group.record.state.groupContext
    for (const length of [0, 256, 3_000]) {
      const reinit = { groupId: new Uint8Array(length), version: 'mls10', cipherSuite, extensions } as const
      const bundle = (await draft(group, [{ proposalType: 'reinit', reinit }])).bundle
      expect(await refusal(submit(alice, group, bundle))).toMatchObject({ status: 422, document: { rule: 'group-id-length' } })
    }
  })
})
