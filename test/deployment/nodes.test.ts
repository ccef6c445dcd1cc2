import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals'
import { createTestDatabase, type TestDatabase } from '../support/database.js'
import { Deployment, type DeployedNode } from '../support/deployment.js'
import { eventually } from '../support/eventually.js'
import { describeWithOwnRedis, useRedis } from '../support/redis.js'
import { GENEROUS, joined, World } from '../support/world.js'
import { TestDevice } from '../authentication/device-fixture.js'
import { HttpDevice } from '../key-packages/http-device-fixture.js'
import { StreamClient } from '../delivery/stream-client.js'
import { toHex, utf8 } from '../../examples/client/wire.js'

describeWithOwnRedis('several processes on one PostgreSQL and one Redis', () => {
  const redis = useRedis()
  let database: TestDatabase
  let nodes: Deployment
  const worlds: World[] = []
  const streams: StreamClient[] = []

  beforeAll(async () => {
    database = await createTestDatabase()
    // What arrives, arrives by hints: no sweep comes by within the time of a test.
    nodes = await Deployment.start(database.url, { ...GENEROUS, REDIS_URL: redis.url, SWEEP_INTERVAL: '60s' }, { workers: 1 })
    await seeRedis(1)
  })
  afterEach(async () => {
    await Promise.all(worlds.splice(0).map((world) => world.disconnect()))
    await Promise.all(streams.splice(0).map((stream) => stream.leave()))
  })
  afterAll(async () => {
    await nodes?.stop()
    await database?.drop()
  })

  const seeRedis = (up: number) =>
    Promise.all(
      nodes.nodes.map((node) =>
        eventually(
          () => node.metric('redis_up'),
          (seen) => seen === up,
        ),
      ),
    )
  const worldAt = (node: DeployedNode | undefined) => {
    const world = new World(node!.url)
    worlds.push(world)
    return world
  }
  const streamOf = async (device: TestDevice, node: DeployedNode | undefined) => {
    const stream = await StreamClient.connect(node!.url.replace('http', 'ws'), 0n, { token: device.accessToken ?? '' })
    streams.push(stream)
    await stream.live()
    return stream
  }

  it('what is sent on one node reaches the streams on all others by hints', async () => {
    const [one, two, three] = nodes.api.map(worldAt) as [World, World, World]
    const [alice] = await one.cast('alice')
    const [bob] = await two.cast('bob')
    const [carol] = await three.cast('carol')
    const groupId = utf8('over all nodes')
    const group = await alice.createGroup({ groupId, mode: 'public' })
    await group.add(bob.user, carol.user)
    for (const guest of [bob, carol]) await joined(guest, groupId)
    for (const [index, speaker] of [alice, bob, carol].entries()) {
      await speaker.group(groupId).send(`from node ${index}`)
      for (const listener of [alice, bob, carol]) {
        await listener.until(`text ${index}`, () => listener.group(groupId).texts.length === index + 1)
      }
    }
    // Metrics are up to a second old. The first message may still be read from the log, where a stream has just seen its Welcome.
    for (const node of nodes.api)
      await eventually(
        () => node.metric('delivery_live_batches_total{source="hint"}'),
        (batches) => (batches ?? 0) >= 2,
      )
    expect(carol.group(groupId).texts).toEqual(['from node 0', 'from node 1', 'from node 2'])
  })

  it('a device that is revoked on one node loses its stream on another', async () => {
    const phone = await TestDevice.registered(nodes.api[0]!.url)
    const laptop = await phone.addDevice('laptop')
    const stream = await streamOf(laptop, nodes.api[2])
    expect((await phone.call('DELETE', '/v1/devices/laptop')).status).toBe(204)
    expect(await stream.code()).toBe(4403)
    expect(await laptop.standing(nodes.api[1]!.url)).toBe('device-revoked')
  })

  it('a device has one stream over all nodes: the newest', async () => {
    const phone = await TestDevice.registered(nodes.url)
    const [first, second] = [await streamOf(phone, nodes.api[0]), await streamOf(phone, nodes.api[1])]
    expect(await first.code()).toBe(4409)
    const third = await streamOf(phone, nodes.api[2])
    expect(await second.code()).toBe(4409)
    expect(third.closed).toBeUndefined()
  })

  it('two streams of one device that were opened while Redis was away become one when it is back', async () => {
    const phone = await TestDevice.registered(nodes.url)
    await redis.kill()
    await seeRedis(0)
    const [older, newer] = [await streamOf(phone, nodes.api[0]), await streamOf(phone, nodes.api[1])]
    expect(older.closed).toBeUndefined()
    await redis.startAgain()
    expect(await older.code()).toBe(4409)
    await seeRedis(1)
    expect(newer.closed).toBeUndefined()
  })

  it('no KeyPackage is handed out twice, also while Redis goes away in the middle', async () => {
    const [here, there, elsewhere] = nodes.api.map(({ url }) => url) as [string, string, string]
    const target = await HttpDevice.register(here)
    const published = 30
    await target.upload(await target.make(published), await target.make(1))
    const claimers = await Promise.all([here, there, elsewhere].map((url) => HttpDevice.register(url)))
    const claims = Array.from({ length: 3 * published }, async (_, index) => {
      if (index === published) await redis.kill()
      return claimers[index % 3]!.claim(target.user)
    })
    const claimed = (await Promise.all(claims)).flatMap(({ key_packages }) => key_packages)
    await redis.startAgain()
    const once = claimed.filter(({ last_resort }) => !last_resort).map(({ key_package }) => toHex(key_package))
    expect(once).toHaveLength(published)
    expect(new Set(once).size).toBe(published)
    await seeRedis(1)
  })
})
