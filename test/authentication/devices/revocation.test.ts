import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { DisabledAccounts } from '../../../src/authentication/accounts/disabled-accounts.job.js'
import { disableAccount } from '../../../src/authentication/accounts/accounts.repository.js'
import { Revocations } from '../../../src/authentication/devices/revocations.js'
import { Hints } from '../../../src/platform/hints/hints.js'
import type { Hint } from '../../../src/platform/hints/hint.js'
import { createTestDatabase, type TestDatabase } from '../../support/database.js'
import { eventually } from '../../support/eventually.js'
import { describeWithRedis, useRedis } from '../../support/redis.js'
import { startServer, type TestServer } from '../../support/server.js'
import { uncommittedChange } from '../account-lock.js'
import { Http, TestDevice, typeOf, UNLIMITED, type Answer } from '../device-fixture.js'

let database: TestDatabase
let server: TestServer
let node2: TestServer
let http: Http
beforeAll(async () => {
  database = await createTestDatabase()
  server = await startServer(UNLIMITED, { database })
  node2 = await startServer(UNLIMITED, { database })
  http = new Http(server.url)
})
afterEach(() => void jest.restoreAllMocks())
afterAll(async () => {
  await server.close()
  await node2.close()
  await database.drop()
})

const names = (answer: Answer) => answer.body.devices.map(({ client }) => client.split('/').at(-1))

describe('a revocation', () => {
  it('ends tokens, keys and refreshing at once here, and on another node once its answers are a second old', async () => {
    const phone = await TestDevice.registered(server.url)
    const laptop = await phone.addDevice('laptop')
    expect([await laptop.standing(), await laptop.standing(node2.url)]).toEqual(['accepted', 'accepted'])
    expect((await phone.call('DELETE', '/v1/devices/laptop')).status).toBe(204)
    expect(await laptop.standing()).toBe('device-revoked')
    const elapsed = performance.now.bind(performance)
    jest.spyOn(performance, 'now').mockImplementation(() => elapsed() + 1_000)
    expect(await laptop.standing(node2.url)).toBe('device-revoked')
    expect(typeOf(await http.refresh(laptop.refreshToken))).toBe('refresh-refused')
    expect(typeOf(await laptop.login())).toBe('login-refused')
    expect(await phone.standing()).toBe('accepted')
  })

  it('is announced once, after its commit', async () => {
    const phone = await TestDevice.registered(server.url)
    const laptop = await phone.addDevice('laptop')
    const {
      rows: [{ id }],
    } = await database.pool.query('SELECT id FROM device WHERE client_uri = $1', [laptop.client])
    const heard: [Hint, Promise<unknown>][] = []
    const stop = server.app.get(Hints, { strict: false }).subscribe((hint) => {
      heard.push([hint, database.pool.query('SELECT revoked_at IS NOT NULL AS revoked FROM device WHERE id = $1', [id])])
    })
    await phone.call('DELETE', '/v1/devices/laptop')
    expect((await phone.call('DELETE', '/v1/devices/laptop')).status).toBe(204)
    stop()
    expect(heard.map(([hint]) => hint).filter(({ kind }) => kind !== 'inbox')).toEqual([{ kind: 'revoked', deviceId: id }])
    expect(await heard[0]![1]).toMatchObject({ rows: [{ revoked: true }] })
  })

  it('of oneself ends the own session', async () => {
    const phone = await TestDevice.registered(server.url)
    expect((await phone.call('DELETE', '/v1/devices/phone?confirm=last-device')).status).toBe(204)
    expect(await phone.standing()).toBe('device-revoked')
  })

  it('reaches no device of another account', async () => {
    const [mine, other] = [await TestDevice.registered(server.url), await TestDevice.registered(server.url)]
    await other.addDevice('tablet')
    expect((await mine.call('DELETE', '/v1/devices/tablet')).status).toBe(404)
    expect(await other.standing()).toBe('accepted')
  })

  it('keeps name and keys taken', async () => {
    const phone = await TestDevice.registered(server.url)
    const laptop = await phone.addDevice('laptop')
    await phone.call('DELETE', '/v1/devices/laptop')
    expect((await phone.call('POST', '/v1/devices', await new TestDevice(http, phone.name, 'laptop').proofs())).status).toBe(409)
    expect((await phone.call('POST', '/v1/devices', await new TestDevice(http, phone.name, 'new', laptop.keys).proofs())).status).toBe(409)
  })

  it.each([
    ['a login', async (device: TestDevice) => (await device.login()).status, 401],
    ['a refresh', async (device: TestDevice) => (await device.http.refresh(device.refreshToken)).status, 401],
    [
      'adding a device',
      async (device: TestDevice) =>
        (await device.call('POST', '/v1/devices', await new TestDevice(device.http, device.name, 'late').proofs())).status,
      401,
    ],
    ['revoking another', async (device: TestDevice) => (await device.call('DELETE', '/v1/devices/phone')).status, 401],
  ] as const)('that commits while %s of the device waits prevails', async (_case, act, status) => {
    const phone = await TestDevice.registered(server.url)
    const laptop = await phone.addDevice('laptop')
    const { commitBeneath } = await uncommittedChange(
      database.pool,
      phone.user,
      'UPDATE device SET revoked_at = now() WHERE client_uri = $1',
      [laptop.client],
    )
    expect(await commitBeneath(act(laptop))).toBe(status)
    expect(names(await phone.call('GET', '/v1/devices'))).toEqual(['phone', 'laptop'])
    expect(await phone.standing()).toBe('accepted')
  })

  it('of each other, at once, is won by one', async () => {
    const phone = await TestDevice.registered(server.url)
    const laptop = await phone.addDevice('laptop')
    const answers = await Promise.all([phone.call('DELETE', '/v1/devices/laptop'), laptop.call('DELETE', '/v1/devices/phone')])
    expect(answers.map(({ status }) => status).toSorted()).toEqual([204, 401])
  })

  it('that fails to commit is not announced', async () => {
    const heard: Hint[] = []
    const stop = server.app.get(Hints, { strict: false }).subscribe((hint) => heard.push(hint))
    const revocations = server.app.get(Revocations, { strict: false })
    const failing = revocations.revoke(async (sql) => {
      await sql.query('CREATE TEMP TABLE late (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED) ON COMMIT DROP')
      await sql.query('INSERT INTO late VALUES (1), (1)') // found out at COMMIT only
      return { revoked: [1n] }
    })
    await expect(failing).rejects.toThrow('duplicate key')
    stop()
    expect(heard).toEqual([])
  })
})

describe('a disabled account', () => {
  it('is shut out within a second, and its devices are revoked by the server', async () => {
    const phone = await TestDevice.registered(server.url)
    const watcher = await TestDevice.registered(server.url)
    await disableAccount(database.pool, phone.user)
    await eventually(
      () => phone.standing(),
      (standing) => standing === 'device-revoked',
    )
    expect((await http.refresh(phone.refreshToken)).status).toBe(401)
    expect(typeOf(await phone.login())).toBe('login-refused')
    const entry = () => watcher.call('GET', `/v1/directory?identity=${phone.user}`)
    const before = (await entry()).body.devices[0]
    expect([before.revoked_at, before.signature_keys[0].valid_until]).toEqual([expect.any(Number), expect.any(Number)])
    await server.app.get(DisabledAccounts, { strict: false }).run()
    expect(
      (await database.pool.query('SELECT 1 FROM device WHERE client_uri = $1 AND revoked_at IS NOT NULL', [phone.client])).rowCount,
    ).toBe(1)
    expect((await entry()).body.devices[0].revoked_at).toBe(before.revoked_at)
  })
})

describeWithRedis('with Redis', () => {
  const redis = useRedis()
  const nodes: TestServer[] = []
  beforeAll(async () => {
    for (let i = 0; i < 2; i++) nodes.push(await startServer({ ...UNLIMITED, REDIS_URL: redis.url }, { database }))
  })
  afterAll(async () => {
    for (const node of nodes) await node.close()
  })

  it('a revocation reaches other nodes although their answers are never old', async () => {
    const [one, two] = nodes as [TestServer, TestServer]
    const phone = await TestDevice.registered(one.url)
    const [laptop, tablet] = [await phone.addDevice('laptop'), await phone.addDevice('tablet')]
    await eventually(
      async () => Number((await redis.client.pubsub('NUMSUB', 'microchat:localhost:hint:0'))[1]),
      (subscribers) => subscribers >= 2,
    )
    jest.spyOn(performance, 'now').mockReturnValue(performance.now())
    expect([await laptop.standing(two.url), await tablet.standing(two.url)]).toEqual(['accepted', 'accepted'])
    const heard = new Promise<void>((resolve) => {
      two.app.get(Hints, { strict: false }).subscribe(({ kind }) => kind === 'revoked' && resolve())
    })
    expect((await phone.call('DELETE', '/v1/devices/laptop')).status).toBe(204)
    await heard
    expect([await laptop.standing(two.url), await tablet.standing(two.url)]).toEqual(['device-revoked', 'accepted'])
  })
})
