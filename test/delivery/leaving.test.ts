import { beforeEach, describe, expect, it } from '@jest/globals'
import { leaveGroup } from '../../src/groups/removal/removal.repository.js'
import { submitProposal } from '../../src/groups/repository/submissions.repository.js'
import { sha256 } from '../../src/protocol/sha256.js'
import { useTestDatabase } from '../support/database.js'
import { newDevice, TestGroup, type TestNode } from './delivery-node-fixture.js'
import { upTo, useStreamNodes } from './stream-fixture.js'
import type { StreamClient } from './stream-client.js'

const database = useTestDatabase()
const fixture = useStreamNodes(database)
let node: TestNode
let alice: StreamClient
let bob: StreamClient
let bobsDevice: bigint
let group: TestGroup
/** What bob has been sent when it leaves. */
let before: number[]

beforeEach(async () => {
  node = await fixture.start()
  const alicesDevice = await newDevice(database.pool)
  bobsDevice = await newDevice(database.pool)
  group = await TestGroup.create(database.pool, alicesDevice)
  const joined = Number(await group.add(bobsDevice))
  bob = await fixture.connect(node, bobsDevice)
  alice = await fixture.connect(node, alicesDevice)
  await Promise.all([alice.live(), bob.live()])
  const head = await group.say(2)
  hintGroup(head)
  await bob.untilSeq(group, head)
  before = upTo(Number(head), joined + 1)
  await leaveGroup(database.pool, group.gid, bobsDevice)
})
const hintGroup = (headSeq: bigint) => node.hints.publish([{ kind: 'group', gid: group.gid, headSeq }])

/** The node has read these and sent them to all it sends to: alice has them. */
async function logGoesOn(): Promise<void> {
  const last = await group.say(2)
  hintGroup(last)
  await alice.untilSeq(group, last)
}

/** With an entry of another group the stream has looked at all its memberships again. */
async function newsOfAnotherGroup(notice: () => unknown): Promise<void> {
  const other = await TestGroup.create(database.pool, await newDevice(database.pool))
  await other.add(bobsDevice)
  const last = await other.say(1)
  await notice()
  await bob.untilSeq(other, last)
}

describe('the open stream of a device that leaves', () => {
  it.each([
    ['the hint', () => node.hints.publish([{ kind: 'inbox', deviceId: bobsDevice }])],
    ['the sweep alone', () => node.sweep.sweep()],
  ])('gets no entry behind its leave, which its node hears of by %s', async (_by, notice) => {
    await newsOfAnotherGroup(notice)
    await logGoesOn()
    expect(bob.seqs(group)).toEqual(before)
    // It asked for that, and so needs no word of it.
    expect(bob.of('removed')).toEqual([])
  })

  it('is sent no entry behind the Remove that the server proposes, though nothing told the node of the leave', async () => {
    const bytes = Buffer.from('a Remove')
    const place = { gid: group.gid, incarnation: 1, deviceId: null, mustBeMember: false, epoch: group.epoch }
    await submitProposal(database.pool, { ...place, hash: sha256(bytes), bytes, pending: null })
    await logGoesOn()
    await newsOfAnotherGroup(() => node.sweep.sweep())
    expect(bob.seqs(group)).toEqual(before)
  })

  it('goes on by an external Commit of its own', async () => {
    await newsOfAnotherGroup(() => node.sweep.sweep())
    const back = await group.commit({ added: [{ deviceId: bobsDevice, welcome: null }], external: true, deviceId: bobsDevice })
    const last = await group.say(1)
    await node.sweep.sweep()
    await bob.untilSeq(group, last)
    expect(bob.seqs(group)).toEqual([...before, Number(last)])
    expect(Number(last)).toBe(Number(back) + 1)
  })

  it('stays closed when others add the device again before they remove it', async () => {
    const again = await group.add(bobsDevice, 'welcome')
    await logGoesOn()
    await newsOfAnotherGroup(() => node.sweep.sweep())
    await logGoesOn()
    expect(bob.seqs(group).filter((seq) => seq > Number(again))).toEqual([])
    expect(bob.of('inbox')).toEqual([])
  })
})
