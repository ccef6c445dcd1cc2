import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { toBase64url } from '../../../src/platform/http/bytes.js'
import { startServer, type TestServer } from '../../support/server.js'
import { clientOf, Http, newKey, newName, provenKey, TestDevice, typeOf, UNLIMITED, visible } from '../device-fixture.js'

let server: TestServer
let http: Http
beforeAll(async () => {
  server = await startServer(UNLIMITED)
  http = new Http(server.url)
})
afterAll(() => server.close())

describe('a login', () => {
  it('that fails tells nobody why', async () => {
    const device = await TestDevice.registered(server.url)
    const gone = await device.addDevice('gone')
    await device.call('DELETE', '/v1/devices/gone')
    const attempt = async (client: string, key: ReturnType<typeof newKey>, change: object = {}) => {
      const challenge = await http.challenge(client)
      const { scheme: _, ...proven } = await provenKey(key, client, challenge)
      return visible(await http.call('POST', '/v1/auth/sessions', { body: { client, nonce: challenge.nonce, ...proven, ...change } }))
    }
    const answers = [
      await attempt(clientOf(newName()), newKey()), // nobody of this name
      await attempt(device.client, newKey()), // not its key
      await attempt(device.client, device.key, { proof: toBase64url(new Uint8Array(64)) }),
      await attempt(device.client, device.key, { nonce: toBase64url(new Uint8Array(32)) }),
      await attempt(device.client, device.key, { public_key: toBase64url(new Uint8Array(31)) }),
      await attempt(gone.client, gone.key), // revoked
    ]
    expect(answers[0]).toMatchObject({ status: 401, type: 'urn:microchat:problem:login-refused' })
    for (const answer of answers) expect(answer).toEqual(answers[0])
  })

  it('gets a challenge of the same form for known and unknown clients', async () => {
    const { client } = await TestDevice.registered(server.url)
    for (const name of [client, clientOf(newName())]) {
      expect(await http.challenge(name)).toEqual({
        nonce: expect.stringMatching(/^[\w-]{43}$/),
        expires_at: expect.any(Number),
        domain: 'localhost',
        label: 'MicroChat Device Login',
      })
    }
  })

  it('keeps the eight newest sessions of a device', async () => {
    const device = await TestDevice.registered(server.url)
    const first = device.refreshToken
    for (let i = 0; i < 7; i++) await device.login()
    expect((await http.refresh(first)).status).toBe(200)
    await device.login()
    await device.login()
    expect(
      (await server.pool.query('SELECT 1 FROM refresh_token JOIN device ON device.id = device_id WHERE client_uri = $1', [device.client]))
        .rowCount,
    ).toBe(8)
  })
})

describe('a refresh', () => {
  it('answers a new session, whose token is good for the next', async () => {
    const device = await TestDevice.registered(server.url)
    let token = device.refreshToken
    for (let i = 0; i < 3; i++) {
      const answer = await http.refresh(token)
      expect([answer.status, answer.body.client, answer.body.user]).toEqual([200, device.client, device.user])
      expect(answer.body.refresh_token).not.toBe(token)
      expect((await http.call('GET', '/v1/devices', { token: answer.body.access_token })).status).toBe(200)
      token = answer.body.refresh_token
    }
  })

  it('repeated ten times at once, or because an answer was lost, gives one successor', async () => {
    const device = await TestDevice.registered(server.url)
    const answers = await Promise.all(Array.from({ length: 10 }, () => http.refresh(device.refreshToken)))
    answers.push(await http.refresh(device.refreshToken))
    expect(answers.map(({ status }) => status)).toEqual(Array(11).fill(200))
    const [successor = '', ...others] = new Set(answers.map(({ body }) => body.refresh_token))
    expect(others).toEqual([])
    expect((await http.refresh(successor)).status).toBe(200)
  })

  it('with a token used long ago ends the session of the one who holds it, at once', async () => {
    const device = await TestDevice.registered(server.url)
    const stolen = device.refreshToken
    const thief = (await http.refresh(stolen)).body
    await server.pool.query("UPDATE refresh_token SET rotated_at = rotated_at - interval '61 seconds'")
    const refused = await http.refresh(stolen)
    expect([refused.status, typeOf(refused)]).toEqual([401, 'refresh-refused'])
    expect(typeOf(await http.refresh(thief.refresh_token))).toBe('refresh-refused')
    expect(typeOf(await http.call('GET', '/v1/devices', { token: thief.access_token }))).toBe('unauthenticated')
    expect((await device.login()).status).toBe(201)
    expect(await device.standing()).toBe('accepted')
  })

  it('with a token two uses back ends the session, even at once', async () => {
    const device = await TestDevice.registered(server.url)
    const second = (await http.refresh(device.refreshToken)).body.refresh_token
    const third = (await http.refresh(second)).body.refresh_token
    expect((await http.refresh(device.refreshToken)).status).toBe(401)
    expect((await http.refresh(third)).status).toBe(401)
  })

  it('leaves the other sessions of the device alone when one ends', async () => {
    const device = await TestDevice.registered(server.url)
    const first = device.refreshToken
    await device.login()
    const second = (await http.refresh(first)).body.refresh_token
    await http.refresh(second)
    await http.refresh(first) // reuse: ends the first session
    const answer = await http.refresh(device.refreshToken)
    expect(answer.status).toBe(200)
    expect((await http.call('GET', '/v1/devices', { token: answer.body.access_token })).status).toBe(200)
  })

  it.each([
    ['of nobody', toBase64url(new Uint8Array(48))],
    ['cut short', toBase64url(new Uint8Array(16))],
    ['of one byte', 'AA'],
  ])('with a token %s is refused', async (_case, token) => {
    expect(typeOf(await http.refresh(token))).toBe('refresh-refused')
  })

  it('with an access token is no refresh', async () => {
    const device = await TestDevice.registered(server.url)
    expect((await http.refresh(device.accessToken!)).status).toBeGreaterThanOrEqual(400)
  })

  it('with an expired token is refused', async () => {
    const device = await TestDevice.registered(server.url)
    await server.pool.query('UPDATE refresh_token SET expires_at = now() FROM device WHERE device.id = device_id AND client_uri = $1', [
      device.client,
    ])
    expect(typeOf(await http.refresh(device.refreshToken))).toBe('refresh-refused')
  })

  it('stores no token', async () => {
    const device = await TestDevice.registered(server.url)
    const bytes = Buffer.from(device.refreshToken, 'base64url')
    const { rows } = await server.pool.query(
      'SELECT 1 FROM refresh_token WHERE token_hash = $1 OR position(substring($1::bytea from 17) in token_hash) > 0',
      [bytes],
    )
    expect(rows).toEqual([])
  })
})

describe('a logout', () => {
  it('ends the access token and every refresh token of this device, and nothing else', async () => {
    const device = await TestDevice.registered(server.url)
    const other = await device.addDevice('other')
    const earlier = device.refreshToken
    await device.login()
    expect((await device.call('DELETE', '/v1/auth/sessions')).status).toBe(204)
    expect(await device.standing()).toBe('unauthenticated')
    for (const token of [earlier, device.refreshToken]) expect((await http.refresh(token)).status).toBe(401)
    expect(await other.standing()).toBe('accepted')
    expect((await device.login()).status).toBe(201)
    expect(await device.standing()).toBe('accepted')
  })
})
