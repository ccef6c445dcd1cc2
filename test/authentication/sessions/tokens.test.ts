import { createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { SignJWT } from 'jose'
import { AccessTokens } from '../../../src/authentication/keys/access-tokens.js'
import { KeyRing } from '../../../src/authentication/keys/key-ring.js'
import { Sessions } from '../../../src/authentication/session/sessions.js'
import { ACCESS_CHALLENGE } from '../../../src/platform/http/problem.js'
import { startServer, type TestServer } from '../../support/server.js'
import { Http, TestDevice, typeOf, UNLIMITED } from '../device-fixture.js'

let server: TestServer
let http: Http
let device: TestDevice
beforeAll(async () => {
  server = await startServer(UNLIMITED)
  http = new Http(server.url)
  device = await TestDevice.registered(server.url)
})
afterAll(() => server.close())

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
const parts = () => device.accessToken!.split('.') as [string, string, string]
const header = () => JSON.parse(Buffer.from(parts()[0], 'base64url').toString())
const claims = () => JSON.parse(Buffer.from(parts()[1], 'base64url').toString())
const ringKey = () => server.app.get(KeyRing, { strict: false }).signer()

const rowsOf = async ({ client }: TestDevice) =>
  (
    await server.pool.query<{ deviceId: bigint; userId: bigint }>(
      'SELECT id AS "deviceId", account_id AS "userId" FROM device WHERE client_uri = $1',
      [client],
    )
  ).rows[0]!

/** A token that is right in everything but `change`. */
async function forged({ head = {}, body = {}, key }: { head?: object; body?: object; key?: KeyObject }): Promise<string> {
  return new SignJWT({ ...claims(), ...body }).setProtectedHeader({ ...header(), ...head }).sign(key ?? (await ringKey()).privateKey)
}

const hmacConfusion = async (): Promise<string> => {
  const {
    keys: [jwk],
  } = (await http.call('GET', '/.well-known/jwks.json')).body
  const signed = `${part({ ...header(), alg: 'HS256' })}.${parts()[1]}`
  return `${signed}.${createHmac('sha256', Buffer.from(jwk.x, 'base64url')).update(signed).digest('base64url')}`
}
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const stranger = generateKeyPairSync('ed25519').privateKey

describe('an access token', () => {
  it('is a JWT for this device by this domain, of the agreed life', () => {
    expect(header()).toEqual({ alg: 'EdDSA', typ: 'at+jwt', kid: expect.any(String) })
    expect(claims()).toEqual({
      iss: 'localhost',
      aud: 'localhost',
      sub: device.client,
      gen: 0,
      iat: expect.any(Number),
      exp: claims().iat + 300,
    })
  })

  it('speaks for its device', async () => {
    const caller = await server.app
      .get(Sessions, { strict: false })
      .authenticate({ token: device.accessToken!, proof: undefined }, { headers: {}, socket: {} })
    expect(caller).toEqual({
      ...(await rowsOf(device)),
      generation: 0,
      client: device.client,
      user: device.user,
      expiresAt: new Date(claims().exp * 1000),
    })
  })

  it('that is right in everything passes: the forgeries below fail for what they say', async () => {
    expect((await http.call('GET', '/v1/devices', { token: await forged({}) })).status).toBe(200)
  })

  it.each<[string, () => string | Promise<string>]>([
    ['without a signature', () => `${parts()[0]}.${parts()[1]}.`],
    ['of alg none', () => `${part({ ...header(), alg: 'none' })}.${parts()[1]}.`],
    ['of HS256 under the public key', hmacConfusion],
    ['of RS256', () => forged({ head: { alg: 'RS256' }, key: rsa })],
    ['whose claims were changed', () => `${parts()[0]}.${part({ ...claims(), gen: 0, exp: 9_999_999_999 })}.${parts()[2]}`],
    ['of an unknown key id', () => forged({ head: { kid: 'nobody' } })],
    ['without a key id', () => forged({ head: { kid: undefined } })],
    ['that brings its own key', () => forged({ head: { jwk: {} }, key: stranger })],
    ['of a stranger under our key id', () => forged({ key: stranger })],
    ['of another issuer', () => forged({ body: { iss: 'example.net' } })],
    ['without issuer', () => forged({ body: { iss: undefined } })],
    ['of another type', () => forged({ head: { typ: 'JWT' } })],
    ['without end', () => forged({ body: { exp: undefined } })],
    ['whose subject is no client', () => forged({ body: { sub: 'mimi://localhost/u/alice' } })],
    ['of a device that is not there', () => forged({ body: { sub: `${device.client}-2` } })],
    ['for another server', () => forged({ body: { aud: 'example.net' } })],
    ['for several servers', () => forged({ body: { aud: ['localhost', 'example.net'] } })],
    ['for nobody in particular', () => forged({ body: { aud: undefined } })],
    ['with an ended generation', () => forged({ body: { gen: 7 } })],
    ['of five dots', () => 'a.b.c.d.e'],
    ['of 8 KB', () => 'x'.repeat(8_000)],
  ])('%s is refused', async (_case, make) => {
    const answer = await http.call('GET', '/v1/devices', { token: await make() })
    expect([answer.status, typeOf(answer), answer.headers.get('www-authenticate')]).toEqual([401, 'unauthenticated', ACCESS_CHALLENGE])
  })

  it.each<[string, Record<string, string>]>([
    ['no header', {}],
    ['another scheme', { authorization: 'Basic YTpi' }],
    ['no token', { authorization: 'Bearer ' }],
    ['two tokens', { authorization: 'Bearer a b' }],
  ])('%s is refused', async (_case, headers) => {
    const answer = await http.call('GET', '/v1/devices', { headers })
    expect([answer.status, typeOf(answer), answer.headers.get('www-authenticate')]).toEqual([401, 'unauthenticated', ACCESS_CHALLENGE])
  })

  it('that has expired says so, also when it was good before', async () => {
    const tokens = server.app.get(AccessTokens, { strict: false })
    const subject = { ...(await rowsOf(device)), client: device.client, generation: 0 }
    const { token } = await tokens.issue(subject, new Date(Date.now() - 301_000))
    for (let i = 0; i < 2; i++) {
      const answer = await http.call('GET', '/v1/devices', { token })
      expect([answer.status, typeOf(answer), answer.headers.get('www-authenticate')]).toEqual([401, 'token-expired', ACCESS_CHALLENGE])
    }
    const { token: brief, expiresAt } = await tokens.issue(subject, new Date(Date.now() - 299_000))
    expect((await tokens.verify(brief)).kind).toBe('valid')
    while (Date.now() <= expiresAt.getTime()) await new Promise((resolve) => setImmediate(resolve))
    expect((await tokens.verify(brief)).kind).toBe('expired')
  })

  it('does not act for another device of the same account', async () => {
    const other = await device.addDevice('own')
    const { devices } = (await other.call('GET', '/v1/devices')).body
    expect(devices.map(({ client, current }: { client: string; current: boolean }) => [client, current])).toEqual([
      [device.client, false],
      [other.client, true],
    ])
    const foreignKey = devices[0].signature_keys[0].id
    expect((await other.call('DELETE', `/v1/devices/self/keys/${foreignKey}`)).status).toBe(404)
  })
})

describe('every route', () => {
  it.each([
    ['GET', '/v1/devices'],
    ['POST', '/v1/devices'],
    ['DELETE', '/v1/devices/phone'],
    ['POST', '/v1/devices/self/keys'],
    ['DELETE', '/v1/devices/self/keys/1'],
    ['DELETE', '/v1/auth/sessions'],
    ['GET', '/v1/directory?identity=mimi://localhost/u/alice'],
  ])('%s %s needs a session', async (method, path) => {
    expect((await http.call(method, path)).status).toBe(401)
  })
})
