import { deleteAccount } from '../../examples/client/account-end.js'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { utf8 } from '../../examples/client/wire.js'
import { Http, TestDevice, typeOf } from '../authentication/device-fixture.js'
import { uncommittedChange } from '../authentication/account-lock.js'
import { eventually } from '../support/eventually.js'
import { startServer, type TestServer } from '../support/server.js'
import { agreed, GENEROUS, problemOf, World } from '../support/world.js'
import { eraseDeleted } from './account-fixture.js'

let server: TestServer
let world: World
beforeAll(async () => {
  server = await startServer({ ...GENEROUS })
  world = new World(server.url)
})
afterEach(() => world.disconnect())
afterAll(() => server?.close())

const stateOf = async (user: string) =>
  (await server.pool.query<{ gone: boolean }>('SELECT deleted_at IS NOT NULL AS gone FROM account WHERE user_uri = $1', [user])).rows[0]

describe('the end of an account takes a fresh proof', () => {
  const end = (device: TestDevice, headers: Record<string, string>) =>
    device.http.call('DELETE', '/v1/me', { token: device.accessToken, headers })

  it('and a token alone, with whatever else a thief may have, does not end it', async () => {
    const phone = await TestDevice.registered(server.url)
    const laptop = await phone.addDevice('laptop')
    const mallory = await TestDevice.registered(server.url)
    const login = await phone.proofs('login')
    const item = (text: string) => `:${Buffer.from(text, 'base64url').toString('base64')}:`
    const { public_key: key, proof } = login.signature_keys[0]!
    const bad: [string, Record<string, string>][] = [
      ['none', {}],
      ['nothing of the kind', { 'step-up': 'please' }],
      ['parts of one', { 'step-up': 'nonce=:AAAA:, key=:AAAA:' }],
      ['for another account', await phone.stepUp('delete-account', mallory.user)],
      ['for another purpose', await phone.stepUp('revoke-device', phone.user)],
      ['by the key of another account', await phone.stepUp('delete-account', phone.user, mallory.key)],
      ['by the key of another device', await phone.stepUp('delete-account', phone.user, laptop.key)],
      ['of another device, shown by this one', await laptop.stepUp('delete-account', phone.user)],
      ['of another account, shown by this one', await mallory.stepUp('delete-account', phone.user)],
      ['of a login', { 'step-up': `nonce=${item(login.nonce)}, key=${item(key)}, proof=${item(proof)}` }],
    ]
    for (const [what, headers] of bad) expect([what, typeOf(await end(phone, headers))]).toEqual([what, 'step-up-required'])
    expect(await stateOf(phone.user)).toEqual({ gone: false })
    expect(await phone.standing()).toBe('accepted')
  })

  it('whose attempts are counted by device: a stolen session does not use up those of another one', async () => {
    const limited = await startServer({ ...GENEROUS, LIMITS: 'account-deletions=2' })
    try {
      const phone = await TestDevice.registered(limited.url)
      const stolen = await phone.addDevice('stolen')
      const tries = [await end(stolen, {}), await end(stolen, {}), await end(stolen, {})]
      expect(tries.map(typeOf)).toEqual(['step-up-required', 'step-up-required', 'rate-limited'])
      expect((await end(phone, await phone.stepUp('delete-account', phone.user))).status).toBe(200)
    } finally {
      await limited.close()
    }
  })

  it('that is good once, however many try at the same time', async () => {
    const phone = await TestDevice.registered(server.url)
    const field = await phone.stepUp('delete-account', phone.user)
    const statuses = (await Promise.all([end(phone, field), end(phone, field), end(phone, field)])).map(({ status }) => status)
    expect(statuses.filter((status) => status === 200)).toHaveLength(1)
    expect(await stateOf(phone.user)).toEqual({ gone: true })
  })
})

describe('a deleted account', () => {
  it('can do nothing any more, and is found by nobody', async () => {
    const [alice, laptop, bob] = await world.cast('alice', 'alice/laptop', 'bob')
    const group = await world.group(alice, [laptop, bob], { mode: 'public' })
    const { refreshToken, client } = alice.device.record
    alice.device.http.renew = undefined
    laptop.device.http.renew = undefined
    expect(await deleteAccount(alice.device)).toMatchObject({ providers: [] })
    for (const device of [alice, laptop]) {
      expect((await problemOf(device.device.http.get('/v1/me'))).kind).toBe('device-revoked')
      expect((await problemOf(device.device.login())).kind).toBe('login-refused')
    }
    const list = `/v1/device-lists?user=${encodeURIComponent(alice.user)}`
    expect((await problemOf(bob.device.http.get(list))).kind).toBe('not-found')
    const http = new Http(server.url)
    const refreshed = await http.call('POST', '/v1/auth/sessions/refresh', {
      body: { refresh_token: Buffer.from(refreshToken!).toString('base64url') },
    })
    expect(refreshed.status).toBe(401)
    // Nobody gets its KeyPackages, and nobody adds it with one that was claimed before.
    expect((await problemOf(bob.device.claim(alice.user, 1))).kind).toBe('not-found')
    // Its leaves go by the next Commit.
    await eventually(
      async () =>
        (await server.pool.query('SELECT FROM pending_removal r JOIN device d ON d.id = r.device_id WHERE d.client_uri = $1', [client]))
          .rowCount,
      (count) => count === 1,
    )
    const own = bob.group(group.record.groupId)
    await own.settle()
    await eventually(
      () => own.members,
      (members) => !members.includes(alice.uri) && !members.includes(laptop.uri),
    )
    expect(await stateOf(alice.user)).toEqual({ gone: true })
  })

  it.each([
    ['its owner logs in', (device: TestDevice) => device.login()],
    ['its owner refreshes', (device: TestDevice) => device.http.refresh(device.refreshToken)],
    [
      'its owner adds a device',
      async (device: TestDevice) => device.call('POST', '/v1/devices', await new TestDevice(device.http, device.name, 'new').proofs()),
    ],
  ])('stays shut when, at the same moment, %s', async (_what, act) => {
    const device = await TestDevice.registered(server.url)
    const { commitBeneath } = await uncommittedChange(
      server.pool,
      device.user,
      `SELECT delete_account(p_domain => 'localhost', p_account => (SELECT id FROM account WHERE user_uri = $1), p_erasure => sha256('x'))`,
      [device.user],
    )
    expect((await commitBeneath(act(device))).status).toBeGreaterThanOrEqual(400)
    await eventually(
      () => device.standing(),
      (standing) => standing === 'device-revoked',
    )
    const { rows } = await server.pool.query(
      `SELECT FROM device d JOIN account a ON a.id = d.account_id WHERE a.user_uri = $1 AND d.revoked_at IS NULL`,
      [device.user],
    )
    expect(rows).toEqual([])
    expect(
      (await server.pool.query('SELECT FROM refresh_token t JOIN device d ON d.id = t.device_id WHERE d.client_uri = $1', [device.client]))
        .rowCount,
    ).toBe(0)
  })

  it('that joins, posts or is claimed at the same moment leaves nothing behind that is not erased', async () => {
    const [alice, bob] = await world.cast('alice', 'bob')
    const group = await world.group(bob, [alice], { mode: 'public' })
    alice.device.http.renew = undefined
    const own = alice.group(group.record.groupId)
    await Promise.allSettled([
      deleteAccount(alice.device),
      own.send('a last word'),
      bob.device.claim(alice.user, 1),
      alice.device.http.put(`/v1/blocks?user=${encodeURIComponent(bob.user)}`),
      alice.createGroup({ groupId: utf8(world.unique('late')) }),
    ])
    await alice.disconnect()
    await eventually(
      async () => {
        await bob
          .group(group.record.groupId)
          .remove(alice.uri)
          .catch(() => undefined)
        await eraseDeleted(server)
        return stateOf(alice.user)
      },
      (state) => state === undefined,
    )
    const { rowCount } = await server.pool.query('SELECT FROM user_block WHERE blocker = $1', [alice.user])
    expect(rowCount).toBe(0)
    expect((await server.pool.query('SELECT FROM device WHERE client_uri = $1', [alice.uri])).rowCount).toBe(0)
    await agreed([bob], bob.group(group.record.groupId))
  })
})
