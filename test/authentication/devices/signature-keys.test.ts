import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { startServer, type TestServer } from '../../support/server.js'
import { uncommittedChange } from '../account-lock.js'
import { Http, newKey, TestDevice, typeOf, UNLIMITED, type DeviceKey } from '../device-fixture.js'

let server: TestServer
let http: Http
beforeAll(async () => {
  server = await startServer(UNLIMITED)
  http = new Http(server.url)
})
afterAll(() => server.close())

describe('signature keys', () => {
  const add = async (device: TestDevice, key = newKey(), more: object = {}) => {
    const {
      nonce,
      signature_keys: [proven],
    } = await new TestDevice(http, device.name, device.device, [key]).proofs('new-key')
    return device.call('POST', '/v1/devices/self/keys', { nonce, ...proven, ...more })
  }
  const ownKeys = async (device: TestDevice) => (await device.call('GET', '/v1/devices')).body.devices[0].signature_keys

  it('are added with their proof, and log in', async () => {
    const phone = await TestDevice.registered(server.url)
    const key = newKey(0x0603)
    const added = await add(phone, key)
    expect([added.status, added.body.scheme]).toEqual([201, 0x0603])
    expect((await phone.login(key)).status).toBe(201)
  })

  it('of another device are refused, with its proof or without', async () => {
    const [phone, other] = [await TestDevice.registered(server.url), await TestDevice.registered(server.url)]
    expect((await add(phone, other.key)).status).toBe(409)
    const {
      nonce,
      signature_keys: [proven],
    } = await other.proofs('new-key')
    expect(typeOf(await phone.call('POST', '/v1/devices/self/keys', { nonce, ...proven }))).toBe('proof-refused')
  })

  it('end when planned, and log in no more', async () => {
    const phone = await TestDevice.registered(server.url)
    const key = newKey()
    const until = Math.floor(Date.now() / 1000) + 3600
    expect((await add(phone, key, { valid_until: until })).body.valid_until).toBe(until)
    expect((await phone.login(key)).status).toBe(201)
    await server.pool.query('UPDATE signature_key SET valid_until = now() WHERE public_key = $1', [key.publicKey])
    expect((await phone.login(key)).status).toBe(401)
  })

  it('name the key they succeed, which then can be retired', async () => {
    const phone = await TestDevice.registered(server.url)
    const [old] = await ownKeys(phone)
    const next = newKey()
    const added = await add(phone, next, { succeeds: old.id })
    expect(added.status).toBe(201)
    expect((await ownKeys(phone))[0].successor).toBe(added.body.public_key)
    expect((await phone.login()).status).toBe(201)
    expect((await phone.call('DELETE', `/v1/devices/self/keys/${old.id}`)).status).toBe(204)
    expect((await phone.login()).status).toBe(401)
    phone.keys.unshift(next)
    expect((await phone.call('DELETE', `/v1/devices/self/keys/${old.id}`)).status).toBe(204)
    expect((await phone.login(next)).status).toBe(201)
    expect((await add(phone, newKey(), { succeeds: old.id })).status).toBe(409)
  })

  it('have one successor, also when six are named at once, and the others are not kept', async () => {
    const phone = await TestDevice.registered(server.url)
    const [old] = await ownKeys(phone)
    const statuses = (await Promise.all(Array.from({ length: 6 }, () => add(phone, newKey(), { succeeds: old.id })))).map(
      ({ status }) => status,
    )
    expect(statuses.toSorted()).toEqual([201, ...Array(5).fill(409)])
    expect(await ownKeys(phone)).toHaveLength(2)
  })

  it('of another device are not succeeded', async () => {
    const [phone, other] = [await TestDevice.registered(server.url), await TestDevice.registered(server.url)]
    const [foreign] = await ownKeys(other)
    expect((await add(phone, newKey(), { succeeds: foreign.id })).status).toBe(409)
    expect((await ownKeys(other))[0].successor).toBeUndefined()
  })

  it('keep a last one, also when both of two are retired at once', async () => {
    const phone = await TestDevice.registered(server.url)
    const other = newKey()
    await add(phone, other)
    const [first, second] = await ownKeys(phone)
    // Each by itself: a key that is retired proves nothing more.
    const retire = async ({ id }: { id: number }, key: DeviceKey) => {
      const headers = await phone.stepUp('retire-key', key.publicKey, key)
      return http.call('DELETE', `/v1/devices/self/keys/${id}`, { token: phone.accessToken, headers })
    }
    const statuses = (await Promise.all([retire(first, phone.key), retire(second!, other)])).map(({ status }) => status)
    expect(statuses.toSorted()).toEqual([204, 409])
  })

  it('keep the last one also when the other is retired by what is not committed yet', async () => {
    const phone = await TestDevice.registered(server.url)
    const { body: added } = await add(phone)
    const { commitBeneath } = await uncommittedChange(
      server.pool,
      phone.user,
      'UPDATE signature_key SET revoked_at = now() WHERE id = $1',
      [added.id],
    )
    const [first] = await ownKeys(phone)
    const retired = await commitBeneath(phone.call('DELETE', `/v1/devices/self/keys/${first.id}`))
    expect([retired.status, typeOf(retired)]).toEqual([409, 'last-key'])
  })

  it.each(['0', '999999999', '9007199254740993', 'x', '-1'])('of the id %s are not there', async (id) => {
    const phone = await TestDevice.registered(server.url)
    expect([400, 404]).toContain((await phone.call('DELETE', `/v1/devices/self/keys/${id}`)).status)
  })
})
