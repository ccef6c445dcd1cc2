import { ECDH } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { activeKeys, clientsOf, devicesOfUser, resolveClients } from '../../src/authentication/directory/directory.repository.js'
import { disableAccount } from '../../src/authentication/accounts/accounts.repository.js'
import { toBase64url } from '../../src/platform/http/bytes.js'
import { startServer, type TestServer } from '../support/server.js'
import { clientOf, Http, newKey, newName, TestDevice, typeOf, UNLIMITED, userOf } from './device-fixture.js'

let server: TestServer
let reader: TestDevice
beforeAll(async () => {
  server = await startServer(UNLIMITED)
  reader = await TestDevice.registered(server.url)
})
afterAll(() => server.close())

const lookUp = (identity: string) => reader.call('GET', `/v1/directory?identity=${encodeURIComponent(identity)}`)
const idOf = async ({ client }: TestDevice): Promise<bigint> =>
  (await server.pool.query<{ id: bigint }>('SELECT id FROM device WHERE client_uri = $1', [client])).rows[0]!.id

describe('the directory', () => {
  it('tells anyone with a session which keys an identity holds, and since when', async () => {
    const before = Math.floor(Date.now() / 1000)
    const phone = new TestDevice(new Http(server.url), newName(), 'phone', [newKey(), newKey(0x0403)])
    await phone.register()
    const laptop = await phone.addDevice('laptop')
    const answer = await lookUp(phone.user)
    expect(answer.status).toBe(200)
    expect(answer.body.identity).toBe(phone.user)
    expect(answer.body.devices.map((device: { client: string }) => device.client)).toEqual([phone.client, laptop.client])
    const [device] = answer.body.devices
    expect(Object.keys(device).toSorted()).toEqual(['client', 'signature_keys', 'since'])
    expect(device.since).toBeGreaterThanOrEqual(before - 1)
    expect(device.since).toBeLessThanOrEqual(Math.ceil(Date.now() / 1000) + 1)
    for (const key of phone.keys) {
      expect(device.signature_keys).toContainEqual({ scheme: key.scheme, public_key: toBase64url(key.publicKey), valid_from: device.since })
    }
  })

  it('tells of one client only that one', async () => {
    const phone = await TestDevice.registered(server.url)
    const laptop = await phone.addDevice('laptop')
    const { body } = await lookUp(laptop.client)
    expect([body.identity, body.devices.length, body.devices[0].client]).toEqual([laptop.client, 1, laptop.client])
  })

  it('keeps revoked devices and retired keys with their times', async () => {
    const phone = await TestDevice.registered(server.url)
    const laptop = await phone.addDevice('laptop')
    await phone.call('DELETE', '/v1/devices/laptop')
    const [, revoked] = (await lookUp(phone.user)).body.devices
    expect(revoked).toEqual({
      client: laptop.client,
      since: expect.any(Number),
      revoked_at: expect.any(Number),
      signature_keys: [
        {
          scheme: laptop.key.scheme,
          public_key: toBase64url(laptop.key.publicKey),
          valid_from: revoked.since,
          valid_until: revoked.revoked_at,
        },
      ],
    })
  })

  it.each([
    ['an unknown user', userOf('nobody-at-all'), 404, 'not-found'],
    ['an unknown client', clientOf('nobody-at-all'), 404, 'not-found'],
    ['a user of another domain', 'mimi://example.net/u/alice', 404, 'not-found'],
    ['what is no identity', 'alice', 400, 'invalid-request'],
    ['an identity with a wildcard', 'mimi://localhost/u/%', 400, 'invalid-request'],
  ])('knows nothing of %s', async (_case, identity, status, type) => {
    const answer = await lookUp(identity)
    expect([answer.status, typeOf(answer)]).toEqual([status, type])
  })

  it.each(['', '?identity=a&identity=b', '?identity=mimi://localhost/u/alice&more=1'])('refuses the query "%s"', async (query) => {
    expect((await reader.call('GET', `/v1/directory${query}`)).status).toBe(400)
  })
})

describe('to other modules, the directory', () => {
  it('resolves clients and names devices', async () => {
    const phone = await TestDevice.registered(server.url)
    const laptop = await phone.addDevice('laptop')
    await phone.call('DELETE', '/v1/devices/laptop')
    const [phoneId, laptopId] = [await idOf(phone), await idOf(laptop)]
    const resolved = await resolveClients(server.pool, [phone.client, laptop.client, clientOf('nobody-at-all')])
    const { userId } = resolved.get(phone.client)!
    expect(resolved).toEqual(
      new Map([
        [phone.client, { deviceId: phoneId, userId, revoked: false }],
        [laptop.client, { deviceId: laptopId, userId, revoked: true }],
      ]),
    )
    expect(await clientsOf(server.pool, [laptopId, phoneId, 999_999n])).toEqual(
      new Map([
        [phoneId, { client: phone.client, user: phone.user, userId }],
        [laptopId, { client: laptop.client, user: phone.user, userId }],
      ]),
    )
    expect(await devicesOfUser(server.pool, phone.user)).toEqual([{ deviceId: phoneId, client: phone.client }])
  })

  it('tells the keys that a device may sign with now, ECDSA keys uncompressed', async () => {
    const key = newKey(0x0403)
    const compressed = new Uint8Array(ECDH.convertKey(key.publicKey, 'prime256v1', undefined, undefined, 'compressed') as Buffer)
    const phone = new TestDevice(new Http(server.url), newName(), 'phone', [{ ...key, publicKey: compressed }])
    await phone.register()
    const id = await idOf(phone)
    const keysAfter = async (change: string) => {
      await server.pool.query(`UPDATE signature_key SET ${change} WHERE device_id = $1`, [id])
      return activeKeys(server.pool, id)
    }
    const it = [{ scheme: key.scheme, publicKey: Buffer.from(key.publicKey) }]
    expect(await activeKeys(server.pool, id)).toEqual(it)
    expect(await keysAfter('valid_until = now()')).toEqual([])
    expect(await keysAfter("valid_until = now() + interval '1 hour'")).toEqual(it)
    expect(await keysAfter("valid_from = now() + interval '1 minute'")).toEqual([])
    expect(await keysAfter('valid_from = now()')).toEqual(it)
    expect(await keysAfter('revoked_at = now()')).toEqual([])
  })

  it('holds devices of a disabled account for revoked', async () => {
    const phone = await TestDevice.registered(server.url)
    const id = await idOf(phone)
    await disableAccount(server.pool, phone.user)
    expect((await resolveClients(server.pool, [phone.client])).get(phone.client)?.revoked).toBe(true)
    expect(await devicesOfUser(server.pool, phone.user)).toEqual([])
    expect(await activeKeys(server.pool, id)).toEqual([])
  })
})
