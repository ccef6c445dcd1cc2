import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { KeyRing } from '../../../src/authentication/keys/key-ring.js'
import { replaceTokenKeyNow, rotateTokenKey, TokenKeyRotation } from '../../../src/authentication/keys/token-key-rotation.js'
import { readTokenKeys } from '../../../src/authentication/keys/token-keys.repository.js'
import { Secrets } from '../../../src/platform/secrets.js'
import { eventually } from '../../support/eventually.js'
import { createTestDatabase, type TestDatabase } from '../../support/database.js'
import { startServer, type TestServer } from '../../support/server.js'
import { Http, TestDevice, UNLIMITED } from '../device-fixture.js'

const TTL = 300_000
let database: TestDatabase
let secrets: Secrets
const nodes: TestServer[] = []
beforeEach(async () => {
  database = await createTestDatabase()
})
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.close()
  await database.drop()
})

async function startNode(): Promise<TestServer> {
  const node = await startServer(UNLIMITED, { database })
  nodes.push(node)
  secrets = node.app.get(Secrets, { strict: false })
  return node
}
const ring = () => new KeyRing(database.pool, secrets)
const published = async (url: string) => (await new Http(url).call('GET', '/.well-known/jwks.json')).body.keys
const kidOf = (token: string | undefined) => JSON.parse(Buffer.from(token!.split('.')[0]!, 'base64url').toString()).kid
const kids = (keys: { kid: string }[]) => keys.map(({ kid }) => kid)

describe('token signing keys', () => {
  it('are made once, however many nodes start at once on an empty database', async () => {
    await startNode()
    const signers = await Promise.all(Array.from({ length: 8 }, () => ring().signer()))
    expect(new Set(signers.map(({ kid }) => kid)).size).toBe(1)
    expect((await database.pool.query('SELECT 1 FROM token_signing_key')).rowCount).toBe(1)
  })

  it('sign also for a transaction that began before they were made, and waited', async () => {
    await startNode()
    const client = await database.pool.connect()
    await client.query('BEGIN')
    await replaceTokenKeyNow(database.pool, secrets)
    const keys = await readTokenKeys(client)
    await client.query('ROLLBACK')
    client.release()
    expect(keys.some(({ signs }) => signs)).toBe(true)
  })

  it('are published without their private parts, for as long as a minute in caches', async () => {
    const { url } = await startNode()
    const { body, headers } = await new Http(url).call('GET', '/.well-known/jwks.json')
    expect(body).toEqual({
      keys: [{ kty: 'OKP', crv: 'Ed25519', x: expect.any(String), kid: expect.any(String), alg: 'EdDSA', use: 'sig' }],
    })
    expect(headers.get('cache-control')).toBe('public, max-age=60')
    const { rows } = await database.pool.query('SELECT public_jwk, sealed_private FROM token_signing_key')
    expect(rows[0].public_jwk.d).toBeUndefined()
    expect(rows[0].sealed_private.includes(Buffer.from('302e020100300506032b6570', 'hex'))).toBe(false)
  })

  it('rotate with overlap: published first, then signing, and the old one stays as long as its tokens', async () => {
    const device = await TestDevice.registered((await startNode()).url)
    const old = kidOf(device.accessToken)
    expect(await rotateTokenKey(database.pool, secrets, TTL)).toBe(true)

    const before = await startNode() // a node that has no memory of earlier keys
    expect(await published(before.url)).toHaveLength(2)
    await device.login()
    expect(kidOf(device.accessToken)).toBe(old)

    await database.pool.query(`UPDATE token_signing_key SET signs_from = signs_from - interval '10 minutes 1 second',
      signs_until = signs_until - interval '10 minutes 1 second', published_until = published_until - interval '10 minutes 1 second'`)
    const after = await startNode()
    const fresh = new TestDevice(new Http(after.url), device.name, device.device, device.keys)
    await fresh.login()
    expect(kidOf(fresh.accessToken)).not.toBe(old)
    expect(await device.standing(after.url)).toBe('accepted')
    expect(await fresh.standing(before.url)).toBe('accepted')

    await database.pool.query(`UPDATE token_signing_key SET published_until = published_until - interval '6 minutes' WHERE kid = $1`, [old])
    const later = await startNode()
    expect(kids(await published(later.url))).toEqual([kidOf(fresh.accessToken)])
    expect(await device.standing(later.url)).toBe('unauthenticated')
    await later.app.get(TokenKeyRotation, { strict: false }).run()
    expect((await database.pool.query('SELECT 1 FROM token_signing_key WHERE kid = $1', [old])).rowCount).toBe(0)
  })

  it('rotate once, when many ask at once or again too soon', async () => {
    const { url } = await startNode()
    await published(url)
    const outcomes = await Promise.all(Array.from({ length: 6 }, () => rotateTokenKey(database.pool, secrets, TTL)))
    expect(outcomes.filter(Boolean)).toHaveLength(1)
    expect(await rotateTokenKey(database.pool, secrets, TTL)).toBe(false)
  })

  it('rotate by themselves at thirty days, not before', async () => {
    const node = await startNode()
    await published(node.url)
    const rotation = node.app.get(TokenKeyRotation, { strict: false })
    const count = async () => (await database.pool.query('SELECT 1 FROM token_signing_key')).rowCount
    await rotation.run()
    expect(await count()).toBe(1)
    await database.pool.query("UPDATE token_signing_key SET signs_from = now() - interval '30 days'")
    await rotation.run()
    await rotation.run()
    expect(await count()).toBe(2)
  })

  it('replaced at once end all tokens, and devices continue by refreshing', async () => {
    const device = await TestDevice.registered((await startNode()).url)
    await replaceTokenKeyNow(database.pool, secrets)
    const { url } = await startNode()
    expect(await device.standing(url)).toBe('unauthenticated')
    const { body } = await new Http(url).refresh(device.refreshToken)
    expect((await new Http(url).call('GET', '/v1/devices', { token: body.access_token })).status).toBe(200)
  })

  it('reach a node that has not heard of them with the first token that names them', async () => {
    const [one, two] = [await startNode(), await startNode()]
    const device = await TestDevice.registered(one.url)
    expect(await device.standing(two.url)).toBe('accepted')
    await replaceTokenKeyNow(database.pool, secrets)
    const three = await startNode()
    const fresh = new TestDevice(new Http(three.url), device.name, device.device, device.keys)
    await fresh.login()
    await eventually(
      () => fresh.standing(two.url),
      (standing) => standing === 'accepted',
    )
  })

  it('that SERVER_SECRET does not open stop the server from signing, with a plain reason', async () => {
    await startNode()
    await ring().signer()
    const other = new KeyRing(database.pool, new Secrets({ SERVER_SECRET: Buffer.alloc(32, 9).toString('base64') }))
    await expect(other.signer()).rejects.toThrow(/SERVER_SECRET does not open the token signing key/)
  })
})
