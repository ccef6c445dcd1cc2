import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { Hints } from '../../../src/platform/hints/hints.js'
import type { Hint } from '../../../src/platform/hints/hint.js'
import { newKey, provenKey, TestDevice, typeOf, UNLIMITED } from '../../authentication/device-fixture.js'
import { privateKey } from '../../support/mls/device-lists.js'
import { startServer, type TestServer } from '../../support/server.js'
import { forgetNotices, household, inboxOf, revoke, type Household } from './changes-fixture.js'

let server: TestServer
let home: Household
beforeAll(async () => {
  server = await startServer({ ...UNLIMITED, LIMITS: 'device-list-changes=10000' })
  home = await household(server)
})
afterAll(() => server.close())

describe('a change of the device list that a thief would rather make in silence', () => {
  it.each<[string, () => Promise<void>]>([
    [
      'a recovery key of its own',
      async () => {
        await home.account.list.certify(home.of.laptop, '', privateKey(), { kind: 'recovery-key', rights: 1 })
      },
    ],
    [
      'a passkey of its own',
      async () => {
        await home.account.list.certify(home.of.laptop, 'thief.example', privateKey(), { kind: 'passkey', rights: 1 })
      },
    ],
    [
      'the end of them',
      async () => {
        await home.account.list.revoke(home.of.laptop, home.account.list.number)
      },
    ],
  ])('is heard by the other device at once: %s', async (_what, make) => {
    await make()
    const { number } = home.account.list
    const hinted: Hint[] = []
    const stop = server.app.get(Hints, { strict: false }).subscribe((hint) => hinted.push(hint))
    const body = await home.account.update(number, await home.account.list.head(home.of.laptop))
    expect((await home.laptop.call('POST', '/v1/device-list', body)).status).toBe(200)
    stop()
    expect(await inboxOf(home.phone)).toEqual([`device-list.changed ${number}`])
    expect(await inboxOf(home.laptop)).toEqual([])
    const { rows } = await server.pool.query<{ id: bigint }>('SELECT id FROM device WHERE client_uri = $1', [home.phone.client])
    expect(hinted).toContainEqual({ kind: 'inbox', deviceId: rows[0]!.id })
    await forgetNotices(server.pool, home.account)
  })

  it('is a key more for its device, or a renewal', async () => {
    const { list } = home.account
    const key = newKey()
    const certificate = await list.certificate(home.laptop.client, [home.laptop.key.privateKey, key.privateKey])
    await list.append(home.of.laptop, { type: 'certificate', certificate })
    const challenge = await home.laptop.http.challenge(home.laptop.client, 'new-key')
    const holder = { number: list.number, key: home.laptop.key.privateKey }
    const device_list = await home.account.update(list.number, await list.head(holder))
    const body = { ...(await provenKey(key, home.laptop.client, challenge)), nonce: challenge.nonce, device_list }
    expect((await home.laptop.call('POST', '/v1/devices/self/keys', body)).status).toBe(201)
    expect(await inboxOf(home.phone)).toEqual([`device-list.changed ${list.number}`])
    expect(await inboxOf(home.laptop)).toEqual([])
  })
})

describe('devices that one change ends together', () => {
  it('hear only that they have ended; the one that stays hears of each', async () => {
    home = await household(server)
    const [tablet, watch] = [await home.account.addDevice('tablet'), await home.account.addDevice('watch')]
    await forgetNotices(server.pool, home.account)
    expect((await revoke(home, { device: home.phone, holder: home.of.phone }, [tablet.holder, watch.holder])).status).toBe(200)
    expect(await inboxOf(home.laptop)).toEqual([
      'device.revoked tablet',
      'device.revoked watch',
      `device-list.changed ${home.account.list.number}`,
    ])
    for (const { device } of [tablet, watch]) {
      expect(await device.standing()).toBe('device-revoked')
      expect(typeOf(await new TestDevice(device.http, device.name, device.device, device.keys).login())).toBe('login-refused')
    }
  })
})
