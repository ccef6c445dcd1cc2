import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { describeWithRedis, useRedis } from '../support/redis.js'
import { startServer, type TestServer } from '../support/server.js'
import { clientOf, Http, TestDevice, typeOf } from './device-fixture.js'

describe('anonymous requests', () => {
  let server: TestServer
  let http: Http
  beforeAll(async () => {
    server = await startServer({ LOGINS_PER_MINUTE: '5' })
    http = new Http(server.url)
  })
  afterAll(() => server.close())

  it('beyond the limit of an address get the time to come back, on all routes that share it', async () => {
    const device = await TestDevice.registered(server.url) // two of the five
    const ask = (headers: Record<string, string> = {}) =>
      http.call('POST', '/v1/auth/challenges', { body: { client: clientOf('alice') }, headers })
    for (let i = 0; i < 3; i++) expect((await ask()).status).toBe(201)
    const refused = await ask()
    expect([refused.status, typeOf(refused)]).toEqual([429, 'rate-limited'])
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(60)

    // An address that the client claims counts only behind a proxy that is trusted.
    expect((await ask({ 'x-forwarded-for': '192.0.2.7' })).status).toBe(429)
    expect((await http.call('POST', '/v1/auth/sessions', { body: {} })).status).toBe(429)
    expect((await http.call('POST', '/v1/accounts', { body: {} })).status).toBe(429)
    // A device with a session continues, and renews it.
    expect(await device.standing()).toBe('accepted')
    expect((await http.refresh(device.refreshToken)).status).toBe(200)
  })

  it('to refresh are limited, too', async () => {
    const statuses: number[] = []
    for (let i = 0; i < 7; i++) statuses.push((await http.refresh('AA')).status)
    expect(statuses).toContain(401)
    expect(statuses.at(-1)).toBe(429)
  })
})

describeWithRedis('with Redis', () => {
  const redis = useRedis()
  const nodes: TestServer[] = []
  beforeAll(async () => {
    for (let i = 0; i < 2; i++) nodes.push(await startServer({ LOGINS_PER_MINUTE: '4', REDIS_URL: redis.url }))
  })
  afterAll(async () => {
    for (const node of nodes) await node.close()
  })

  it('all nodes count together, and Redis learns no address', async () => {
    const ask = async (index: number) => {
      const answer = await new Http(nodes[index % 2]?.url ?? '').call('POST', '/v1/auth/challenges', {
        body: { client: clientOf('alice') },
      })
      return answer.status
    }
    const statuses: number[] = []
    for (let i = 0; i < 6; i++) statuses.push(await ask(i))
    expect(statuses).toEqual([201, 201, 201, 201, 429, 429])
    const keys = await redis.client.keys('microchat:localhost:limit:*')
    expect(keys).toEqual([expect.stringMatching(/:limit:login:\d{1,5}$/)])
  })
})
