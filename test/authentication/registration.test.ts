import { ECDH, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { toBase64url } from '../../src/platform/http/bytes.js'
import { startServer, type TestServer } from '../support/server.js'
import {
  clientOf,
  Http,
  newKey,
  newName,
  prove,
  provenKey,
  SCHEMES,
  TestDevice,
  typeOf,
  UNLIMITED,
  userOf,
  type DeviceKey,
} from './device-fixture.js'

let server: TestServer
let http: Http
beforeAll(async () => {
  server = await startServer(UNLIMITED)
  http = new Http(server.url)
})
afterAll(() => server.close())

describe('a registration', () => {
  it.each(Object.entries(SCHEMES))('opens an account with a key of %s, which then logs in', async (_name, scheme) => {
    const device = new TestDevice(http, newName(), 'phone', [newKey(scheme)])
    const registered = await device.register()
    expect(registered.status).toBe(201)
    expect(registered.body).toEqual({
      client: device.client,
      user: device.user,
      token_type: 'Bearer',
      access_token: expect.any(String),
      expires_at: expect.any(Number),
      refresh_token: expect.any(String),
    })
    expect(await device.standing()).toBe('accepted')
    expect((await device.login()).status).toBe(201)
  })

  it('takes several keys, each of which logs in', async () => {
    const device = new TestDevice(http, newName(), 'phone', Object.values(SCHEMES).map(newKey))
    expect((await device.register()).status).toBe(201)
    for (const key of device.keys) expect((await device.login(key)).status).toBe(201)
  })

  it('takes a compressed point and logs in with either spelling', async () => {
    const key = newKey(SCHEMES['ECDSA P-256'])
    const compressed = {
      ...key,
      publicKey: new Uint8Array(ECDH.convertKey(key.publicKey, 'prime256v1', undefined, undefined, 'compressed') as Buffer),
    }
    const device = new TestDevice(http, newName(), 'phone', [compressed])
    expect((await device.register()).status).toBe(201)
    expect((await device.login(key)).status).toBe(201)
    expect((await device.login(compressed)).status).toBe(201)
  })

  it('needs a proof for every key', async () => {
    const device = new TestDevice(http, newName(), 'phone', [newKey(), newKey()])
    const proofs = await device.proofs('registration')
    const [first, second] = proofs.signature_keys
    const body = { user: device.user, ...proofs, signature_keys: [first, { ...second, proof: first!.proof }] }
    expect(typeOf(await http.call('POST', '/v1/accounts', { body }))).toBe('proof-refused')
  })

  it.each([
    ['a user of another name', { user: userOf('somebody-else') }],
    ['a user elsewhere', { user: 'mimi://example.net/u/alice' }],
    ['a user that is no URI', { user: 'alice' }],
    ['an unknown member', { is_admin: true }],
    ['no key', { signature_keys: [] }],
  ])('with %s is a bad request', async (_case, change) => {
    const answer = await new TestDevice(http, newName()).register(change)
    expect([answer.status, typeOf(answer)]).toEqual([400, 'invalid-request'])
  })

  it('of a client elsewhere gets no challenge', async () => {
    const answer = await http.call('POST', '/v1/auth/challenges', { body: { client: 'mimi://example.net/d/alice/phone' } })
    expect([answer.status, typeOf(answer)]).toEqual([400, 'wrong-domain'])
  })

  const offCurve = () => {
    const key = newKey(SCHEMES['ECDSA P-256'])
    key.publicKey[64] = key.publicKey[64]! ^ 1
    return [key]
  }
  it.each<[string, () => DeviceKey[]]>([
    ['a point off its curve', offCurve],
    ['a key under another scheme', () => [{ ...newKey(), scheme: 0x0403 }]],
    ['an Ed25519 key of small order', () => [{ ...newKey(), publicKey: Uint8Array.of(1, ...new Uint8Array(31)) }]],
    [
      'the same key twice',
      () => {
        const key = newKey()
        return [key, key]
      },
    ],
    ['a scheme that MLS has not', () => [{ ...newKey(), scheme: 0x0804 }]],
  ])('with %s is a bad request', async (_case, keys) => {
    const answer = await new TestDevice(http, newName(), 'phone', keys()).register()
    expect([answer.status, typeOf(answer)]).toEqual([400, 'invalid-request'])
  })

  it('with a key that ends before it begins is a bad request', async () => {
    const device = new TestDevice(http, newName())
    const { signature_keys, ...proofs } = await device.proofs('registration')
    const body = { user: device.user, ...proofs, signature_keys: signature_keys.map((key) => ({ ...key, valid_until: 1 })) }
    expect((await http.call('POST', '/v1/accounts', { body })).status).toBe(400)
  })

  it.each([253_402_300_800, 8_640_000_000_001, Number.MAX_SAFE_INTEGER])(
    'with a key that ends after all calendars, at %i, is a bad request',
    async (end) => {
      const device = new TestDevice(http, newName())
      const { signature_keys, ...proofs } = await device.proofs('registration')
      const body = { user: device.user, ...proofs, signature_keys: signature_keys.map((key) => ({ ...key, valid_until: end })) }
      const answer = await http.call('POST', '/v1/accounts', { body })
      expect([answer.status, typeOf(answer)]).toEqual([400, 'invalid-request'])
    },
  )

  it('of a taken name is a conflict', async () => {
    const { name } = await TestDevice.registered(server.url)
    const answer = await new TestDevice(http, name, 'tablet').register()
    expect([answer.status, typeOf(answer)]).toEqual([409, 'name-taken'])
  })

  it('with a key that another device holds is a conflict, also in another spelling', async () => {
    const key = newKey(SCHEMES['ECDSA P-384'])
    expect((await new TestDevice(http, newName(), 'phone', [key]).register()).status).toBe(201)
    const compressed = {
      ...key,
      publicKey: new Uint8Array(ECDH.convertKey(key.publicKey, 'secp384r1', undefined, undefined, 'compressed') as Buffer),
    }
    for (const again of [key, compressed]) {
      const device = new TestDevice(http, newName(), 'phone', [again])
      expect((await device.register()).status).toBe(409)
      // …and leaves nothing of itself behind.
      expect((await server.pool.query('SELECT 1 FROM account WHERE user_uri = $1', [device.user])).rowCount).toBe(0)
    }
  })

  it('raced by twelve for one name is won by exactly one', async () => {
    const name = newName()
    const rivals = Array.from({ length: 12 }, (_, index) => new TestDevice(http, name, `device${index}`))
    const statuses = (await Promise.all(rivals.map((rival) => rival.register()))).map(({ status }) => status)
    expect(statuses.toSorted()).toEqual([201, ...Array(11).fill(409)])
    expect((await server.pool.query('SELECT 1 FROM device WHERE client_uri LIKE $1', [`mimi://localhost/d/${name}/%`])).rowCount).toBe(1)
  })

  it('raced with two shared keys in opposite order ends in conflicts, never in a deadlock', async () => {
    for (let round = 0; round < 5; round++) {
      const [one, two] = [newKey(), newKey()]
      const rivals = Array.from({ length: 6 }, (_, index) => new TestDevice(http, newName(), 'phone', index % 2 ? [one, two] : [two, one]))
      const statuses = (await Promise.all(rivals.map((rival) => rival.register()))).map(({ status }) => status)
      expect(statuses.toSorted()).toEqual([201, ...Array(5).fill(409)])
    }
  })
})

describe('a proof', () => {
  const elsewhere = { domain: 'example.net' }
  it.each([
    ['for another domain', elsewhere, undefined],
    ['for another client', { client: clientOf('somebody-else') }, undefined],
    ['for another nonce', { nonce: randomBytes(32) }, undefined],
    ['for another deadline', { expiresAt: 4_000_000_000n }, undefined],
    ['under another label', {}, 'FramedContentTBS'],
  ] as const)('%s opens neither an account nor a session', async (_case, change, label) => {
    const device = await TestDevice.registered(server.url)
    const challenge = await http.challenge(device.client)
    const proof = await prove(device.key, device.client, challenge, change, label)
    const login = { client: device.client, nonce: challenge.nonce, public_key: toBase64url(device.key.publicKey), proof }
    const refused = await http.call('POST', '/v1/auth/sessions', { body: login })
    expect([refused.status, typeOf(refused)]).toEqual([401, 'login-refused'])

    const newcomer = new TestDevice(http, newName())
    const another = await http.challenge(newcomer.client)
    const key = {
      ...(await provenKey(newcomer.key, newcomer.client, another)),
      proof: await prove(newcomer.key, newcomer.client, another, change, label),
    }
    const body = { user: newcomer.user, client: newcomer.client, nonce: another.nonce, signature_keys: [key] }
    expect(typeOf(await http.call('POST', '/v1/accounts', { body }))).toBe('proof-refused')
  })

  it.each(Object.entries(SCHEMES))('of %s is worth nothing under another key', async (_name, scheme) => {
    const device = new TestDevice(http, newName(), 'phone', [newKey(scheme)])
    await device.register()
    const challenge = await http.challenge(device.client)
    const proof = await prove(newKey(scheme), device.client, challenge)
    const body = { client: device.client, nonce: challenge.nonce, public_key: toBase64url(device.key.publicKey), proof }
    expect(typeOf(await http.call('POST', '/v1/auth/sessions', { body }))).toBe('login-refused')
  })

  it('over the challenge of another client opens nothing, though its signature holds', async () => {
    const device = await TestDevice.registered(server.url)
    const challenge = await http.challenge(clientOf('somebody-else'))
    const { scheme: _, ...proven } = await provenKey(device.key, device.client, challenge)
    const body = { client: device.client, nonce: challenge.nonce, ...proven }
    expect(typeOf(await http.call('POST', '/v1/auth/sessions', { body }))).toBe('login-refused')
  })

  it('is good once, also when it is sent ten times at once', async () => {
    const device = await TestDevice.registered(server.url)
    const challenge = await http.challenge(device.client)
    const { scheme: _, ...proven } = await provenKey(device.key, device.client, challenge)
    const body = { client: device.client, nonce: challenge.nonce, ...proven }
    const answers = await Promise.all(Array.from({ length: 10 }, () => http.call('POST', '/v1/auth/sessions', { body })))
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, ...Array(9).fill(401)])
    expect((await http.call('POST', '/v1/auth/sessions', { body })).status).toBe(401)
  })

  it('over an expired challenge is refused, and the challenge is purged', async () => {
    const device = await TestDevice.registered(server.url)
    const challenge = await http.challenge(device.client)
    const { rows } = await server.pool.query<{ at: Date }>(
      "UPDATE challenge SET expires_at = date_trunc('second', now()) - interval '1 second' WHERE client_uri = $1 RETURNING expires_at AS at",
      [device.client],
    )
    const late = { ...challenge, expires_at: rows[0]!.at.getTime() / 1000 }
    const { scheme: _, ...proven } = await provenKey(device.key, device.client, late)
    const body = { client: device.client, nonce: challenge.nonce, ...proven }
    expect(typeOf(await http.call('POST', '/v1/auth/sessions', { body }))).toBe('login-refused')
    await server.app.get<() => Promise<void>>('authentication.purge_v1', { strict: false })()
    expect((await server.pool.query('SELECT 1 FROM challenge WHERE client_uri = $1', [device.client])).rowCount).toBe(0)
  })

  it('survives a failed registration: a challenge is spent only together with what it opens', async () => {
    const { name } = await TestDevice.registered(server.url)
    const device = new TestDevice(http, name, 'tablet')
    const body = { user: device.user, ...(await device.proofs('registration')) }
    for (let i = 0; i < 2; i++) expect((await http.call('POST', '/v1/accounts', { body })).status).toBe(409)
  })
})
