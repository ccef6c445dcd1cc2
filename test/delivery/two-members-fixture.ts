import type { useTestDatabase } from '../support/database.js'
import { newDevice, TestGroup, type TestNode } from './delivery-node-fixture.js'
import { upTo, type useStreamNodes } from './stream-fixture.js'
import type { StreamClient } from './stream-client.js'

/** Alice and bob in a group, both with a stream to one node, and two entries that bob has been sent. */
export interface TwoMembers {
  node: TestNode
  alice: StreamClient
  bob: StreamClient
  bobsDevice: bigint
  group: TestGroup
  /** Seqs that bob has been sent. */
  before: number[]
  /** The node has read these and sent them to all it sends to: alice has them. @returns the seq of the last */
  logGoesOn(): Promise<bigint>
  /** With an entry of another group the stream has looked at all its memberships again. */
  newsOfAnotherGroup(notice: () => unknown): Promise<void>
}

export async function twoMembers(
  database: ReturnType<typeof useTestDatabase>,
  fixture: ReturnType<typeof useStreamNodes>,
): Promise<TwoMembers> {
  const { pool } = database
  const node = await fixture.start()
  const [alicesDevice, bobsDevice] = [await newDevice(pool), await newDevice(pool)]
  const group = await TestGroup.create(pool, alicesDevice)
  const joined = Number(await group.add(bobsDevice))
  const bob = await fixture.connect(node, bobsDevice)
  const alice = await fixture.connect(node, alicesDevice)
  await Promise.all([alice.live(), bob.live()])
  const logGoesOn = async () => {
    const last = await group.say(2)
    node.hints.publish([{ kind: 'group', gid: group.gid, headSeq: last }])
    await alice.untilSeq(group, last)
    return last
  }
  const newsOfAnotherGroup = async (notice: () => unknown) => {
    const other = await TestGroup.create(pool, await newDevice(pool))
    await other.add(bobsDevice)
    const last = await other.say(1)
    await notice()
    await bob.untilSeq(other, last)
  }
  const head = await logGoesOn()
  await bob.untilSeq(group, head)
  return { node, alice, bob, bobsDevice, group, before: upTo(Number(head), joined + 1), logGoesOn, newsOfAnotherGroup }
}
