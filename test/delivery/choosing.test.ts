import { beforeEach, describe, expect, it } from '@jest/globals'
import { setDelivery } from '../../src/groups/delivery/delivery-choice.repository.js'
import type { Delivery } from '../../src/groups/delivery/delivery.dto.js'
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
})
const hintGroup = (headSeq: bigint) => node.hints.publish([{ kind: 'group', gid: group.gid, headSeq }])

async function choose(delivery: Delivery): Promise<void> {
  expect(await setDelivery(database.pool, group.groupId, { deviceId: bobsDevice, userId: bobsDevice }, delivery)).toBe('accepted')
}

/** The node has read these and sent them to all it sends to: alice has them. @returns the seq of the last */
async function logGoesOn(): Promise<bigint> {
  const last = await group.say(2)
  hintGroup(last)
  await alice.untilSeq(group, last)
  return last
}

/** With an entry of another group the stream has looked at all its memberships again. */
async function newsOfAnotherGroup(notice: () => unknown): Promise<void> {
  const other = await TestGroup.create(database.pool, await newDevice(database.pool))
  await other.add(bobsDevice)
  const last = await other.say(1)
  await notice()
  await bob.untilSeq(other, last)
}

let pings = 0
/** The stream has read what bob sent before. */
async function roundTrip(): Promise<void> {
  const n = ++pings
  bob.send({ t: 'ping', n })
  await bob.until('pong', () => bob.of('pong').some((frame) => frame.n === n))
}

const hinted = () => node.hints.publish([{ kind: 'inbox', deviceId: bobsDevice }])
const swept = () => node.sweep.sweep()

describe.each(['muted', 'blocked'] as const)('the open stream of a device that chose %s', (delivery) => {
  it.each([
    ['the hint', hinted],
    ['the sweep alone', swept],
  ])('gets no entry more, which its node hears of by %s', async (_by, notice) => {
    await choose(delivery)
    await newsOfAnotherGroup(notice)
    await logGoesOn()
    await newsOfAnotherGroup(swept)
    expect(bob.seqs(group)).toEqual(before)
    expect(bob.of('removed')).toEqual([])
    expect(bob.of('resync')).toEqual([])
  })

  it('is news for the sweep, by nothing else than the choice', async () => {
    const news = async () =>
      (await database.pool.query('SELECT FROM device_news WHERE device_id = $1 AND stream_id IS NULL', [bobsDevice])).rowCount
    const known = (await news()) ?? 0
    await choose(delivery)
    expect(await news()).toBe(known + 1)
  })

  it.each([
    ['acknowledged', true],
    ['on the way', false],
  ])('goes on where it was when that is taken back; what it was sent is %s', async (_what, acknowledged) => {
    if (acknowledged) {
      bob.ack(group, before.at(-1) ?? 0)
      await roundTrip()
    }
    await choose(delivery)
    await newsOfAnotherGroup(hinted)
    await logGoesOn()
    await choose('all')
    await newsOfAnotherGroup(hinted)
    const last = await logGoesOn()
    await bob.untilSeq(group, last)
    expect(bob.seqs(group)).toEqual([...before, ...upTo(Number(last), (before.at(-1) ?? 0) + 1)])
    bob.ack(group, Number(last))
    await roundTrip()
    expect(bob.closed).toBeUndefined()
  })
})
