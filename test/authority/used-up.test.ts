import { describe, expect, it } from '@jest/globals'
import { createProposal, encodeMlsMessage, proposeAddExternal, type Proposal } from 'ts-mls'
import type { Client } from '../../examples/client/client.js'
import type { Accepted, Group } from '../../examples/client/group.js'
import { suite } from '../../examples/client/mls/suites.js'
import { at, draft, refusal, submit, useStage } from '../groups/group-fixture.js'
import { groupInfoOf } from '../groups/hostile.js'
import { addOf } from './scene-fixture.js'

const stage = useStage({
  COMMITS_PER_MINUTE: '8',
  COMMITS_PER_GROUP_PER_MINUTE: '10',
  ADDITIONS_PER_PAIR_PER_HOUR: '4',
  ADDITIONS_PER_DEVICE_PER_HOUR: '6',
})

const send = ({ device }: Pick<Client, 'device'>, group: Group, proposal: Uint8Array) =>
  device.http.post<Accepted>(`${group.path}/proposals`, { proposal })

async function propose(group: Group, proposal: Proposal): Promise<Accepted> {
  const { state, suite: id, mode } = group.record
  const { message } = await createProposal(state, mode === 'public', proposal, (await suite(id)).impl)
  return send(group, group, encodeMlsMessage(message))
}

async function ask(client: Client, group: Group): Promise<Accepted> {
  const own = await client.device.newKeyPackage(1)
  client.device.record.keyPackages.set(own.ref, own)
  const proposal = await proposeAddExternal(await groupInfoOf(group), own.public, own.private, (await suite(1)).impl)
  return send(client, group, encodeMlsMessage(proposal))
}

/** Puts a device into new groups of these accounts. */
async function putIn(target: Client, ...by: readonly Client[]): Promise<void> {
  for (const one of by) {
    const group = await stage.group(one)
    await submit(one, group, (await draft(group, [await addOf(group, target)])).bundle)
  }
}

const four = <T>(one: T): T[] => [one, one, one, one]
const statusOf = (request: Promise<unknown>): Promise<number> =>
  request.then(
    () => 200,
    ({ status }: { status: number }) => status,
  )
const ignore = (error: unknown) => error

describe('nobody is kept from committing by a Proposal to add a device', () => {
  it('that others have added as often as they may', async () => {
    const [alice, mallory, oscar, puppet] = await stage.cast('alice', 'mallory', 'oscar', 'puppet')
    await puppet.device.publishKeyPackages(10)
    await putIn(puppet, ...four(oscar), mallory, mallory)
    const group = await stage.group(alice, [mallory])
    await propose(at(mallory, group), await addOf(at(mallory, group), puppet)).catch(ignore)
    await stage.sync(alice)
    await group.update()
  })

  it('that the committer has added as often as it may: it counts for who proposed it', async () => {
    const [alice, mallory, victim] = await stage.cast('alice', 'mallory', 'victim')
    await victim.device.publishKeyPackages(10)
    await putIn(victim, ...four(alice))
    const group = await stage.group(alice, [mallory])
    await propose(at(mallory, group), await addOf(at(mallory, group), victim))
    await stage.sync(alice)
    await group.update()
    expect(group.members).toContain(victim.uri)
    await putIn(victim, mallory)
    const other = await stage.group(alice, [mallory])
    expect(await refusal(propose(at(mallory, other), await addOf(at(mallory, other), victim)))).toMatchObject({ status: 429 })
  })

  it.each(['public', 'private'] as const)('that asks by itself, and that others have added as often as they may (%s)', async (mode) => {
    const [alice, mallory, oscar, puppet] = await stage.cast('alice', 'mallory', 'oscar', 'puppet')
    await puppet.device.publishKeyPackages(10)
    await putIn(puppet, ...four(oscar), mallory, mallory)
    const group = await stage.group(alice, [], { mode, policy: { external_join: 'open' } })
    await ask(puppet, group)
    await stage.sync(alice)
    await group.update()
    expect(group.members).toContain(puppet.uri)
  })
})

describe('what a group takes of Commits in a minute', () => {
  it('is not used up by Commits that are refused', async () => {
    const [alice, bob, phone, tablet, victim] = await stage.cast('alice', 'bob', 'mallory/phone', 'mallory/tablet', 'victim')
    const group = await stage.group(alice, [bob, phone, tablet])
    const add = await addOf(group, victim)
    const other = await stage.group(phone)
    await submit(phone, other, (await draft(other, [add])).bundle)
    for (const one of [phone, tablet])
      for (let n = 0; n < 7; n++)
        expect(await refusal(submit(one, group, (await draft(at(one, group), [add])).bundle))).toMatchObject({ status: 422 })
    await at(bob, group).update()
  })

  it('is not used up for its admins by members', async () => {
    const [alice, phone, tablet] = await stage.cast('alice', 'mallory/phone', 'mallory/tablet')
    const group = await stage.group(alice, [phone, tablet])
    const outcomes: number[] = []
    for (const one of [phone, tablet]) {
      await stage.sync(one)
      for (let n = 0; n < 7; n++)
        outcomes.push(
          await at(one, group)
            .update()
            .then(
              () => 200,
              (error: { status: number }) => error.status,
            ),
        )
    }
    expect(outcomes).toContain(429)
    await stage.sync(alice)
    await group.remove(phone.uri, tablet.uri)
  })
})

describe('the places of those who ask to be added to an open group', () => {
  it('are not taken by one account with many devices', async () => {
    const devices = ['phone', 'tablet', 'watch', 'laptop', 'desk', 'tv'].map((name) => `mallory/${name}` as const)
    const [alice, bob, ...mallory] = await stage.cast('alice', 'bob', ...devices)
    const group = await stage.group(alice, [], { policy: { external_join: 'open' } })
    const answers: number[] = []
    for (const device of mallory) answers.push(await statusOf(ask(device, group)))
    expect(answers).toEqual([200, 200, 200, 200, 409, 409])
    await ask(bob, group)
    await stage.sync(alice)
    await group.update()
    expect(group.members).toHaveLength(6)
  })
})
