import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { createTestDatabase, type TestDatabase } from '../../support/database.js'
import { describeWithOwnRedis, useRedis } from '../../support/redis.js'
import { sendRaw } from '../../support/raw-http.js'
import { startServer, type TestServer } from '../../support/server.js'
import { UNLIMITED } from '../../authentication/device-fixture.js'
import { BoundDevice } from './possession-fixture.js'

const PUBLIC_URL = 'https://chat.example/mc'

describeWithOwnRedis('two nodes with Redis', () => {
  const redis = useRedis()
  let database: TestDatabase
  const nodes: TestServer[] = []
  beforeAll(async () => {
    database = await createTestDatabase()
    for (let i = 0; i < 2; i++)
      nodes.push(
        await startServer({ ...UNLIMITED, ACCESS_TOKENS: 'bound', PUBLIC_URL, REDIS_URL: redis.url, PG_POOL_API: '3' }, { database }),
      )
  })
  afterAll(async () => {
    for (const node of nodes) await node.close()
    await database.drop()
  })
  const url = (index: number) => nodes[index]?.url ?? ''

  it('take a proof for PUBLIC_URL, once, and not one for a host that the request itself names', async () => {
    const alice = await BoundDevice.registered(url(0))
    const proof = alice.proof({}, { url: PUBLIC_URL })
    expect([
      await alice.ask(proof, { url: url(0) }),
      await alice.ask(proof, { url: url(1) }),
      await alice.ask(proof, { url: url(0) }),
    ]).toEqual(['accepted', 'dpop-refused: replayed', 'dpop-refused: replayed'])
    for (const wrong of ['https://chat.example', 'http://chat.example/mc', 'https://evil.example/mc'])
      expect(await alice.ask(alice.proof({}, { url: wrong }))).toBe('dpop-refused: request')
    const fields = [
      `Authorization: DPoP ${alice.accessToken}`,
      `DPoP: ${alice.proof({}, { url: 'http://evil.example' })}`,
      'Connection: close',
    ]
    const relayed = await sendRaw(url(0), `GET /v1/devices HTTP/1.1\r\nHost: evil.example\r\n${fields.join('\r\n')}\r\n\r\n`)
    expect(relayed).toMatch(/^HTTP\/1\.1 401 [^]*dpop-refused/)
  })

  it('keep nothing of a proof in Redis but a keyed hash, for as long as it is good', async () => {
    const alice = await BoundDevice.registered(url(0))
    const name = `name-of-${alice.name}`
    expect(await alice.ask(alice.proof({ claims: { jti: name } }, { url: PUBLIC_URL }))).toBe('accepted')
    const keys = await redis.client.keys('microchat:localhost:used:*')
    expect(keys.join()).not.toContain(name)
    for (const key of keys) {
      expect(key).toMatch(/:used:[\w-]{22}$/)
      expect(await redis.client.pttl(key)).toBeGreaterThan(0)
      expect(await redis.client.pttl(key)).toBeLessThanOrEqual(75_000)
    }
  })

  it('go on while it is silent or away, each by its own memory', async () => {
    const alice = await BoundDevice.registered(url(0))
    await redis.pause()
    const proof = alice.proof({}, { url: PUBLIC_URL })
    expect(await alice.ask(proof, { url: url(0) })).toBe('accepted')
    expect(await alice.ask(proof, { url: url(0) })).toBe('dpop-refused: replayed')
    await redis.resume()
    await redis.kill()
    expect(await alice.ask(alice.proof({}, { url: PUBLIC_URL }))).toBe('accepted')
    await redis.startAgain()
  })
})
