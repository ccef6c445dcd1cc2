import { beforeEach, describe, expect, it } from '@jest/globals'
import { setDelivery } from '../../src/groups/delivery/delivery-choice.repository.js'
import type { Delivery } from '../../src/groups/delivery/delivery.dto.js'
import { useTestDatabase } from '../support/database.js'
import { upTo, useStreamNodes } from './stream-fixture.js'
import { twoMembers, type TwoMembers } from './two-members-fixture.js'

const database = useTestDatabase()
const fixture = useStreamNodes(database)
let scene: TwoMembers

beforeEach(async () => {
  scene = await twoMembers(database, fixture)
})

async function choose(delivery: Delivery): Promise<void> {
  expect(await setDelivery(database.pool, scene.group.groupId, { deviceId: scene.bobsDevice, userId: scene.bobsDevice }, delivery)).toBe(
    'accepted',
  )
}

let pings = 0
/** The stream has read what bob sent before. */
async function roundTrip(): Promise<void> {
  const n = ++pings
  scene.bob.send({ t: 'ping', n })
  await scene.bob.until('pong', () => scene.bob.of('pong').some((frame) => frame.n === n))
}

const hinted = () => scene.node.hints.publish([{ kind: 'inbox', deviceId: scene.bobsDevice }])
const swept = () => scene.node.sweep.sweep()

describe.each(['muted', 'blocked'] as const)('the open stream of a device that chose %s', (delivery) => {
  it.each([
    ['the hint', hinted],
    ['the sweep alone', swept],
  ])('gets no entry more, which its node hears of by %s', async (_by, notice) => {
    await choose(delivery)
    await scene.newsOfAnotherGroup(notice)
    await scene.logGoesOn()
    await scene.newsOfAnotherGroup(swept)
    expect(scene.bob.seqs(scene.group)).toEqual(scene.before)
    expect(scene.bob.of('removed')).toEqual([])
    expect(scene.bob.of('resync')).toEqual([])
  })

  it('is news for the sweep, by nothing else than the choice', async () => {
    const news = async () =>
      (await database.pool.query('SELECT FROM device_news WHERE device_id = $1 AND stream_id IS NULL', [scene.bobsDevice])).rowCount
    const known = (await news()) ?? 0
    await choose(delivery)
    expect(await news()).toBe(known + 1)
  })

  it.each([
    ['acknowledged', true],
    ['on the way', false],
  ])('goes on where it was when that is taken back; what it was sent is %s', async (_what, acknowledged) => {
    if (acknowledged) {
      scene.bob.ack(scene.group, scene.before.at(-1) ?? 0)
      await roundTrip()
    }
    await choose(delivery)
    await scene.newsOfAnotherGroup(hinted)
    await scene.logGoesOn()
    await choose('all')
    await scene.newsOfAnotherGroup(hinted)
    const last = await scene.logGoesOn()
    await scene.bob.untilSeq(scene.group, last)
    expect(scene.bob.seqs(scene.group)).toEqual([...scene.before, ...upTo(Number(last), (scene.before.at(-1) ?? 0) + 1)])
    scene.bob.ack(scene.group, Number(last))
    await roundTrip()
    expect(scene.bob.closed).toBeUndefined()
  })
})
