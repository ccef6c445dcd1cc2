import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { decodeJwt } from 'jose'
import { DeviceStatuses } from '../../../src/authentication/session/device-statuses.js'
import { Http, TestDevice, UNLIMITED } from '../../authentication/device-fixture.js'
import { createTestDatabase, type TestDatabase } from '../../support/database.js'
import { startServer, type TestServer } from '../../support/server.js'
import { BoundDevice, saidBy } from './possession-fixture.js'

type Setting = 'bound' | 'bearer-allowed' | 'legacy'

let database: TestDatabase
const servers = new Map<Setting, TestServer>()
const at = (setting: Setting) => servers.get(setting)?.url ?? ''
beforeAll(async () => {
  database = await createTestDatabase()
  for (const setting of ['bound', 'bearer-allowed', 'legacy'] as const)
    servers.set(setting, await startServer({ ...UNLIMITED, ACCESS_TOKENS: setting, PG_POOL_API: '3' }, { database }))
})
afterAll(async () => {
  for (const server of servers.values()) await server.close()
  await database.drop()
})

describe('ACCESS_TOKENS=bound', () => {
  it('opens no session without a key', async () => {
    const simple = new TestDevice(new Http(at('bound')), 'simple-one')
    expect(saidBy(await simple.register())).toBe('dpop-required')
    const known = await TestDevice.registered(at('bearer-allowed'))
    const here = new TestDevice(new Http(at('bound')), known.name, known.device, known.keys)
    expect(saidBy(await here.login())).toBe('dpop-required')
    expect(saidBy(await here.http.refresh(known.refreshToken))).toBe('dpop-required')
    // What it has is good until it ends.
    expect(await known.standing(at('bound'))).toBe('accepted')
  })

  it('has a token that names its key, whom it is for, and no row', async () => {
    const device = await BoundDevice.registered(at('bound'))
    const claims = decodeJwt(device.accessToken)
    expect(Object.keys(claims).sort()).toEqual(['aud', 'cnf', 'exp', 'gen', 'iat', 'iss', 'sub'])
    expect(claims).toMatchObject({ aud: 'localhost', sub: device.client, cnf: { jkt: expect.stringMatching(/^[\w-]{43}$/) } })
  })

  it('reads one row for the requests of a moment, and finds the device by its name', async () => {
    const device = await BoundDevice.registered(at('bound'))
    const statuses = servers.get('bound')!.app.get(DeviceStatuses, { strict: false })
    const found = await Promise.all([statuses.of(device.client), statuses.of(device.client), statuses.of('mimi://localhost/d/no/body')])
    expect(found[0]).toBe(found[1])
    expect(found).toEqual([expect.objectContaining({ revoked: false, generation: 0 }), expect.anything(), undefined])
  })
})

describe('ACCESS_TOKENS=bearer-allowed', () => {
  it('lets simple clients in, whose tokens take no proof', async () => {
    const simple = await TestDevice.registered(at('bearer-allowed'))
    expect((await simple.login()).body).toMatchObject({ token_type: 'Bearer' })
    expect(await simple.standing()).toBe('accepted')
    const other = await BoundDevice.registered(at('bearer-allowed'))
    const token = simple.accessToken ?? ''
    expect(await other.ask(other.proof({}, { token }), { token })).toBe('unauthenticated')
  })

  it('keeps sessions bound that were opened with a key, whatever the setting', async () => {
    for (const setting of ['bearer-allowed', 'bound'] as const) {
      const device = await BoundDevice.registered(at(setting))
      const weaker = device.at(at('bearer-allowed'))
      expect(await weaker.ask(undefined, { scheme: 'Bearer' })).toBe('dpop-required')
      expect(saidBy(await weaker.refresh(null))).toBe('dpop-required')
      expect(await weaker.ask()).toBe('accepted')
    }
  })
})

describe('the sessions of a simple client', () => {
  it('are bound with the first refresh that shows a key, for good', async () => {
    const simple = await TestDevice.registered(at('bearer-allowed'))
    const device = new BoundDevice(at('bound'))
    device.refreshToken = simple.refreshToken
    expect((await device.refresh()).body).toMatchObject({ token_type: 'DPoP', client: simple.client })
    expect(await device.ask()).toBe('accepted')
    expect(saidBy(await new Http(at('bearer-allowed')).refresh(device.refreshToken))).toBe('dpop-required')
  })
})

describe('ACCESS_TOKENS=legacy, while nodes of the release before run', () => {
  it('binds no new session, and issues tokens that those understand and all nodes of this release', async () => {
    const device = await BoundDevice.registered(at('legacy'))
    const { did, uid, aud, cnf } = decodeJwt(device.accessToken)
    expect([did, uid, aud, cnf]).toEqual([expect.stringMatching(/^\d+$/), expect.stringMatching(/^\d+$/), 'localhost', undefined])
    for (const url of [at('legacy'), at('bound'), at('bearer-allowed')])
      expect(await device.ask(undefined, { scheme: 'Bearer', url })).toBe('accepted')
    expect((await device.refresh()).body).toMatchObject({ token_type: 'Bearer' })
    // The first refresh after the setting is gone binds it.
    expect((await device.at(at('bound')).refresh()).body).toMatchObject({ token_type: 'DPoP' })
  })
})
