import { on, once } from 'node:events'
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { WebSocket } from 'ws'
import { NodeSweep } from '../../../src/delivery/sweep/node-sweep.js'
import { Hints } from '../../../src/platform/hints/hints.js'
import { decodeServerFrame, encodeFrame, STREAM_PROTOCOL } from '../../../src/protocol/frames.js'
import { createTestDatabase, type TestDatabase } from '../../support/database.js'
import { eventually } from '../../support/eventually.js'
import { hasRedis, startRedis, type TestRedis } from '../../support/redis.js'
import { startServer, type TestServer } from '../../support/server.js'
import { TestDevice, UNLIMITED } from '../device-fixture.js'

let database: TestDatabase
let redis: TestRedis | undefined
const nodes: TestServer[] = []
beforeAll(async () => {
  database = await createTestDatabase()
  redis = hasRedis ? await startRedis() : undefined
  const settings = redis ? { REDIS_URL: redis.url, SWEEP_INTERVAL: '60s' } : { SWEEP_INTERVAL: '500ms' }
  for (let i = 0; i < 2; i++) nodes.push(await startServer({ ...UNLIMITED, ...settings }, { database }))
  if (redis) {
    const { client } = redis
    await eventually(
      async () => Number((await client.pubsub('NUMSUB', 'microchat:localhost:hint:0'))[1]),
      (subscribers) => subscribers === 2,
    )
  }
})
afterEach(() => void jest.restoreAllMocks())
afterAll(async () => {
  for (const node of nodes) await node.close()
  await redis?.stop()
  await database.drop()
})

/** Opens a stream, and waits until it is live: from then on it is news that ends it. @returns what waits for it to be closed, and then says with which code */
async function streamOf(device: TestDevice, node: TestServer | undefined): Promise<() => Promise<number>> {
  const headers = { authorization: `Bearer ${device.accessToken}` }
  const socket = new WebSocket(`${node?.wsUrl}/v1/stream`, [STREAM_PROTOCOL], { headers })
  const closed = once(socket, 'close')
  await once(socket, 'open')
  socket.send(encodeFrame({ t: 'resume', positions: [] }))
  for await (const [data] of on(socket, 'message')) {
    const decoded = decodeServerFrame(data as Buffer)
    if (decoded.kind === 'frame' && decoded.frame.t === 'live') break
  }
  return async () => Number((await closed)[0])
}

describe.each([
  ['this node', 0],
  ['another node', 1],
])('a stream on %s', (_where, index) => {
  const other = () => nodes[index] as TestServer
  const here = () => nodes[0] as TestServer

  it('is cut when its device is revoked: by the hint, where one gets there', async () => {
    if (redis || index === 0) jest.spyOn(other().app.get(NodeSweep, { strict: false }), 'sweep').mockResolvedValue()
    const phone = await TestDevice.registered(here().url)
    const laptop = await phone.addDevice('laptop')
    const closed = await streamOf(laptop, other())
    expect((await phone.call('DELETE', '/v1/devices/laptop')).status).toBe(204)
    expect(await closed()).toBe(4403)
  })

  it('is cut when its device logs out, which stays in its groups', async () => {
    const phone = await TestDevice.registered(here().url)
    const heard: string[] = []
    const stop = here()
      .app.get(Hints, { strict: false })
      .subscribe(({ kind }) => heard.push(kind))
    const closed = await streamOf(phone, other())
    expect((await phone.call('DELETE', '/v1/auth/sessions')).status).toBe(204)
    expect(await closed()).toBe(4401)
    expect(heard).toContain('session-ended')
    expect(heard).not.toContain('revoked')
    stop()
  })
})
