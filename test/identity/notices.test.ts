import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { Client } from '../../examples/client/client.js'
import { createDeviceInvite } from '../../src/authentication/accounts/administration.js'
import { Hints } from '../../src/platform/hints/hints.js'
import type { Hint } from '../../src/platform/hints/hint.js'
import { Http, newName, TestDevice, typeOf, UNLIMITED } from '../authentication/device-fixture.js'
import { createTestDatabase, type TestDatabase } from '../support/database.js'
import { eventually } from '../support/eventually.js'
import { startServer, type TestServer } from '../support/server.js'

let database: TestDatabase
let server: TestServer
/** Sweeps only once a minute: what arrives has been hinted. */
const RARELY = { ...UNLIMITED, SWEEP_INTERVAL: '1m' }
beforeAll(async () => {
  database = await createTestDatabase()
  server = await startServer(RARELY, { database })
})
afterAll(async () => {
  await server.close()
  await database.drop()
})

interface Item {
  kind: string
  client?: string
}
const inbox = async (device: TestDevice): Promise<string[]> => {
  const answer = await device.call('GET', '/v1/events?wait=0')
  const { inbox: items } = answer.body as unknown as { inbox: Item[] }
  return items.map(({ kind, client }) => `${kind} ${client?.split('/').at(-1)}`)
}

describe('the other devices of an account', () => {
  it('find a new device in their inboxes, and a revoked one; neither the device that did it nor that one itself', async () => {
    const phone = await TestDevice.registered(server.url)
    const laptop = await phone.addDevice('laptop')
    expect([await inbox(phone), await inbox(laptop)]).toEqual([[], []])
    const tablet = await laptop.addDevice('tablet')
    expect([await inbox(phone), await inbox(laptop), await inbox(tablet)]).toEqual([['device.added tablet'], [], []])
    expect((await phone.call('DELETE', '/v1/devices/tablet')).status).toBe(204)
    expect([await inbox(phone), await inbox(laptop)]).toEqual([['device.added tablet'], ['device.revoked tablet']])
    expect((await phone.call('DELETE', '/v1/devices/tablet')).status).toBe(204)
    expect(await inbox(laptop)).toEqual(['device.revoked tablet'])
  })

  it('hear of a device that revokes itself, and of nothing that was refused', async () => {
    const phone = await TestDevice.registered(server.url)
    const laptop = await phone.addDevice('laptop')
    const ghost = await new TestDevice(phone.http, phone.name, 'ghost').proofs()
    expect(typeOf(await new Http(server.url).call('POST', '/v1/devices', { body: ghost, token: laptop.accessToken }))).toBe(
      'step-up-required',
    )
    expect(await inbox(phone)).toEqual([])
    expect((await laptop.call('DELETE', '/v1/devices/laptop')).status).toBe(204)
    expect(await inbox(phone)).toEqual(['device.revoked laptop'])
  })

  it('hear of a device that the operator lets in', async () => {
    const phone = await TestDevice.registered(server.url)
    const invite = await createDeviceInvite(server.pool, phone.user, 60_000)
    const ghost = new TestDevice(phone.http, phone.name, 'ghost')
    expect((await ghost.register({ invite_code: invite?.code })).status).toBe(201)
    expect(await inbox(phone)).toEqual(['device.added ghost'])
    expect(await inbox(ghost)).toEqual([])
  })

  it('hear of what a node of the release before does, which names nobody as the one that acts', async () => {
    const phone = await TestDevice.registered(server.url)
    const laptop = await phone.addDevice('laptop')
    await server.pool.query('UPDATE device SET revoked_at = now() WHERE client_uri = $1', [laptop.client])
    expect(await inbox(phone)).toEqual(['device.revoked laptop'])
  })

  it('hear of it by their streams at once', async () => {
    const name = newName()
    const client = (device: string) => Client.create({ baseUrl: server.url, domain: 'localhost', user: name, device, suites: [1] })
    const [phone, laptop, tablet] = await Promise.all(['phone', 'laptop', 'tablet'].map(client))
    await phone!.device.register()
    await phone!.device.enrol(laptop!.device)
    phone!.connect()
    await phone!.until('the stream is live', () => phone!.lives > 0)
    const hinted: Hint[] = []
    const stop = server.app.get(Hints, { strict: false }).subscribe((hint) => hinted.push(hint))
    await laptop!.device.enrol(tablet!.device)
    await laptop!.device.revoke('tablet')
    stop()
    // Without these its stream would look once a minute.
    const { rows } = await server.pool.query<{ id: bigint }>('SELECT id FROM device WHERE client_uri = $1', [phone!.uri])
    const hint = { kind: 'inbox', deviceId: rows[0]!.id }
    expect(hinted.filter((one) => one.kind === 'inbox' && one.deviceId === hint.deviceId)).toEqual([hint, hint])
    await phone!.until('the notices', () => phone!.notices.length >= 4)
    expect(phone!.notices.map(({ kind, client: whose }) => [kind, whose])).toEqual([
      ['device.added', tablet!.uri],
      ['device-list.changed', undefined],
      ['device.revoked', tablet!.uri],
      ['device-list.changed', undefined],
    ])
    // Acknowledged, they do not come again.
    const left = 'SELECT FROM inbox JOIN device d ON d.id = device_id WHERE d.client_uri = $1'
    await eventually(
      () => server.pool.query(left, [phone!.uri]),
      ({ rowCount }) => rowCount === 0,
    )
    await phone!.disconnect()
  })
})
