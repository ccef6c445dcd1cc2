import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { Http, newName, TestDevice, typeOf, UNLIMITED } from '../authentication/device-fixture.js'
import { createTestDatabase, type TestDatabase } from '../support/database.js'
import { eventually } from '../support/eventually.js'
import { runCommand as cli } from '../support/run-command.js'
import { startServer, testEnvironment, type TestServer } from '../support/server.js'

let database: TestDatabase
let server: TestServer
const before = { ...process.env }
beforeAll(async () => {
  database = await createTestDatabase()
  Object.assign(process.env, testEnvironment(database.url))
  server = await startServer({ ...UNLIMITED }, { database })
})
afterAll(async () => {
  process.env = before
  await server.close()
  await database.drop()
})

/** Whatever /v1/me answers. */
interface Me {
  user: string
  devices: { client: string; current: boolean; revoked_at?: number }[]
  settings: { searchable: boolean; invitations: string }
  counts: Record<string, number>
}
const me = async (device: TestDevice) => (await device.call('GET', '/v1/me')).body as unknown as Me
const gone = (device: TestDevice) =>
  eventually(
    () => device.standing(),
    (standing) => standing === 'device-revoked',
  )
const codeIn = (out: string) => ({ invite_code: out.trim().split('\n').at(-1) })

describe('the account of a device', () => {
  it('is shown with its devices, its choices and what is kept for it', async () => {
    const phone = await TestDevice.registered(server.url)
    const laptop = await phone.addDevice('laptop')
    await phone.call('PUT', '/v1/me/searchable', { searchable: false })
    await phone.call('PUT', `/v1/blocks?user=${encodeURIComponent('mimi://localhost/u/mallory')}`)
    await phone.call('DELETE', '/v1/devices/laptop')
    expect(await me(phone)).toEqual({
      user: phone.user,
      created_at: expect.any(Number),
      devices: [
        { client: phone.client, since: expect.any(Number), current: true },
        { client: laptop.client, since: expect.any(Number), current: false, revoked_at: expect.any(Number) },
      ],
      settings: { searchable: false, invitations: 'open' },
      counts: { groups: 0, key_packages: 0, inbox: 0, blocks: 1, consents: 0 },
    })
  })

  it('has nothing of another account', async () => {
    const [alice, bob] = [await TestDevice.registered(server.url), await TestDevice.registered(server.url)]
    await bob.call('PUT', `/v1/blocks?user=${encodeURIComponent(alice.user)}`)
    const mine = await me(alice)
    expect(mine.devices).toHaveLength(1)
    expect(JSON.stringify(mine)).not.toContain(bob.name)
    expect(mine.counts['blocks']).toBe(0)
  })
})

describe('the last device of an account', () => {
  it('is revoked only by who says that it is the last one', async () => {
    const phone = await TestDevice.registered(server.url)
    await phone.addDevice('laptop')
    expect((await phone.call('DELETE', '/v1/devices/laptop')).status).toBe(204)
    expect(typeOf(await phone.call('DELETE', '/v1/devices/phone'))).toBe('last-device')
    expect((await phone.call('DELETE', '/v1/devices/phone?confirm=yes')).status).toBe(400)
    expect(await phone.standing()).toBe('accepted')
    // What is revoked already is not the last one.
    expect((await phone.call('DELETE', '/v1/devices/laptop')).status).toBe(204)
    expect((await phone.call('DELETE', '/v1/devices/phone?confirm=last-device')).status).toBe(204)
    expect(await phone.standing()).toBe('device-revoked')
  })

  it('is one of two that revoke each other at once', async () => {
    const phone = await TestDevice.registered(server.url)
    const laptop = await phone.addDevice('laptop')
    const answers = await Promise.all([phone.call('DELETE', '/v1/devices/laptop'), laptop.call('DELETE', '/v1/devices/phone')])
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 401])
  })
})

describe('the operator', () => {
  it('lists the accounts by name, a page at a time', async () => {
    const names = [newName(), newName(), newName()].sort()
    for (const name of names) await TestDevice.registered(server.url, name)
    const { code, out } = await cli('accounts', 'list', '--after', names[0]!.slice(0, -1), '--limit', '1000')
    expect(code).toBe(0)
    expect(names.filter((name) => !out.includes(`${name}  since`))).toEqual([])
    expect((await cli('accounts', 'list', '--after', names[0]!, '--limit', '1')).out).toMatch(
      /^\S+ {2}since [^\n]*, \d devices?\nThere may be more: --after \S+\n$/,
    )
    expect(await cli('accounts', 'list', '--limit', '0')).toMatchObject({ code: 1 })
  })

  it('sees what is kept for an account, and no code and no token', async () => {
    const phone = await TestDevice.registered(server.url)
    const { code, out } = await cli('accounts', 'show', phone.name)
    expect([code, out]).toEqual([0, expect.stringContaining('phone  since')])
    expect(out).toContain('1 session')
    expect(await cli('accounts', 'show', 'nobody-at-all')).toEqual({ code: 1, out: '', errors: 'There is no account nobody-at-all.\n' })
  })

  it('revokes one device of an account: its session ends, the others go on', async () => {
    const phone = await TestDevice.registered(server.url)
    const laptop = await phone.addDevice('laptop')
    expect(await cli('devices', 'revoke', phone.name, 'laptop')).toMatchObject({ code: 0 })
    await gone(laptop)
    expect(typeOf(await laptop.http.refresh(laptop.refreshToken))).toBe('refresh-refused')
    expect(await phone.standing()).toBe('accepted')
    expect((await cli('devices', 'list', phone.name)).out).toMatch(
      /^phone {2}since [^\n]*, 1 session\nlaptop {2}since [^\n]*, revoked [^\n]*\n$/,
    )
    expect(await cli('devices', 'revoke', phone.name, 'laptop')).toMatchObject({ code: 1, errors: 'Device laptop was revoked before.\n' })
    expect(await cli('devices', 'revoke', phone.name, 'tablet')).toMatchObject({ code: 1 })
    expect(await cli('devices', 'revoke', phone.name)).toMatchObject({ code: 1 })
  })

  it('takes a disabling back: nothing that ended by it comes to life, and a new device gets in by a code', async () => {
    const phone = await TestDevice.registered(server.url)
    expect(await cli('accounts', 'enable', phone.name)).toMatchObject({ code: 1, errors: `Account ${phone.name} is not disabled.\n` })
    await cli('accounts', 'disable', phone.name)
    // At once: the job of the server may not have come by yet.
    expect(await cli('accounts', 'enable', phone.name)).toMatchObject({ code: 0, out: expect.stringContaining('invites create') })
    await gone(phone)
    expect(typeOf(await phone.login())).toBe('login-refused')
    expect(typeOf(await phone.http.refresh(phone.refreshToken))).toBe('refresh-refused')
    const next = new TestDevice(new Http(server.url), phone.name, 'tablet')
    const { out } = await cli('invites', 'create', '--user', phone.name)
    expect((await next.register(codeIn(out))).status).toBe(201)
    expect(await next.standing()).toBe('accepted')
  })

  it('takes a code back, which then lets nobody in', async () => {
    const name = newName()
    const { invite_code: code } = codeIn((await cli('accounts', 'create', name)).out)
    const listed = (await cli('invites', 'list', '--limit', '10000')).out
    const [, id = ''] = new RegExp(`^([0-9a-f]{16}) {2}for a device of ${name},`, 'm').exec(listed) ?? []
    expect(listed).not.toContain(code)
    expect(await cli('invites', 'revoke', id)).toMatchObject({ code: 0 })
    expect(typeOf(await new TestDevice(new Http(server.url), name).register({ invite_code: code }))).toBe('registration-refused')
    expect(await cli('invites', 'revoke', id)).toMatchObject({ code: 1 })
    expect(await cli('invites', 'revoke', '%')).toMatchObject({ code: 1 })
  })
})
