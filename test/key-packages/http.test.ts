import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { Hints } from '../../src/platform/hints/hints.js'
import type { Hint } from '../../src/platform/hints/hint.js'
import { KeyPackagePurge } from '../../src/key-packages/key-package-purge.job.js'
import { createTestDatabase, type TestDatabase } from '../support/database.js'
import { LAST_RESORT_COMPONENT, LAST_RESORT_EXTENSION, SUITES } from '../support/key-packages.js'
import { startServer, type TestServer } from '../support/server.js'
import { HttpDevice, problemOf, UNLIMITED } from './http-device-fixture.js'
import { hex } from './key-package-fixture.js'

let database: TestDatabase
let server: TestServer
let second: TestServer
let alice: HttpDevice
let bob: HttpDevice

beforeAll(async () => {
  database = await createTestDatabase()
  server = await startServer({ ...UNLIMITED, KEY_PACKAGE_LOW: '3', KEY_PACKAGE_MAX_PER_DEVICE: '40' }, { database })
  second = await startServer({ ...UNLIMITED, KEY_PACKAGE_LOW: '3' }, { database })
})
afterAll(async () => {
  await second.close()
  await server.close()
  await database.drop()
})
beforeEach(async () => {
  alice = await HttpDevice.register(server.url)
  bob = await HttpDevice.register(server.url, { encoding: 'cbor' })
})

describe.each(SUITES)('KeyPackages of suite %i', (suite) => {
  test('go from one device to another as they are, then the last resort does', async () => {
    const uploaded = await bob.make(2, suite)
    const [last] = await bob.make(1, suite, { extensions: [LAST_RESORT_COMPONENT] })
    const { stored } = await bob.upload([...uploaded, last!])
    expect(stored.map((item) => item.last_resort)).toEqual([false, false, true])
    expect(await bob.counts()).toEqual([{ cipher_suite: suite, available: 2, last_resort: true }])

    const claims = []
    for (let round = 0; round < 4; round++) claims.push((await alice.claim(bob.user, [suite])).key_packages[0]!)
    expect(claims.map((item) => hex(item.key_package))).toEqual([...uploaded, last!, last!].map(hex))
    expect(claims.map((item) => hex(item.ref))).toEqual([...stored, stored[2]!].map((item) => hex(item.ref)))
    expect(claims[0]).toMatchObject({ client: bob.client, cipher_suite: suite, last_resort: false })
    expect(await bob.counts()).toEqual([{ cipher_suite: suite, available: 0, last_resort: true }])
  })
})

describe('uploads', () => {
  test('mark last resorts by list, by extension and by component; the newer replaces the older', async () => {
    const [plain] = await bob.make(1)
    const [legacy] = await bob.make(1, 2, { extensions: [LAST_RESORT_EXTENSION] })
    expect((await bob.upload([legacy!], [plain!])).stored.map((item) => item.last_resort)).toEqual([true, true])
    const [newer] = await bob.make(1)
    await bob.upload([], [newer!])
    expect(hex((await alice.claim(bob.user)).key_packages[0]!.key_package)).toBe(hex(newer!))
  })

  test('are all or nothing, and name what is wrong', async () => {
    const batch = await bob.make(4)
    batch[2] = (await bob.make(1, 1, { client: alice.client }))[0]!
    const problem = await problemOf(bob.upload(batch))
    expect(problem).toMatchObject({ status: 422, kind: 'invalid-key-package' })
    expect(problem.document).toMatchObject({
      list: 'key_packages',
      index: 2,
      rule: 'credential',
      section: '5.3.1',
      expected_identity: bob.client,
    })
    expect(problem.message).toContain('KeyPackage names the uploading device')
    expect(await bob.counts()).toEqual([])
  })

  test('say of a lifetime what it is and what it is compared with', async () => {
    const [long] = await bob.make(1, 1, { until: 400 * 86_400 })
    const { document } = await problemOf(bob.upload([long!]))
    expect(document).toMatchObject({ rule: 'leaf-node-lifetime', longest_lifetime: 366 * 86_400 })
    const { not_before, not_after, server_time, detail } = document as Record<string, number>
    expect(not_after! - not_before!).toBeGreaterThan(400 * 86_400 - 1)
    expect(Math.abs(server_time! - Date.now() / 1000)).toBeLessThan(600)
    for (const number of [not_before, not_after, server_time, 366 * 86_400]) expect(detail).toContain(String(number))
  })

  test('say of a bare KeyPackage that it is one', async () => {
    const [wrapped] = await bob.make(1)
    // version and wire_format stand before it, two bytes each (RFC 9420 §6).
    const { kind, document } = await problemOf(bob.upload([wrapped!.slice(4)]))
    expect(kind).toBe('undecodable')
    expect(document.detail).toContain('wrap it in an MLSMessage')
  })

  test('repeat harmlessly', async () => {
    const batch = await bob.make(3)
    const first = await bob.upload(batch)
    await alice.claim(bob.user)
    expect(await bob.upload([...batch, batch[0]!])).toEqual(first)
    expect(await bob.counts()).toMatchObject([{ available: 2 }])
  })

  test('take no second last resort of a suite, and no KeyPackage in both roles', async () => {
    const [one, two] = await bob.make(2)
    expect((await problemOf(bob.upload([], [one!, two!]))).document).toMatchObject({
      list: 'last_resort',
      index: 1,
      rule: 'one-last-resort-per-suite',
    })
    expect(await problemOf(bob.upload([one!], [one!]))).toMatchObject({ status: 409, kind: 'key-package-role' })
    await bob.upload([one!])
    expect(await problemOf(bob.upload([], [one!]))).toMatchObject({ status: 409, kind: 'key-package-role' })
  })

  test('keep to the maximum per device', async () => {
    await bob.upload(await bob.make(40))
    const problem = await problemOf(bob.upload(await bob.make(1)))
    expect(problem).toMatchObject({ status: 409, kind: 'too-many-key-packages' })
    expect(problem.document).toMatchObject({ maximum: 40 })
  })

  test('need a session, a key that is still valid, and a device that is', async () => {
    const tablet = await HttpDevice.register(server.url, { sibling: bob })
    const batch = await tablet.make(1)
    const token = tablet.http.accessToken
    tablet.http.accessToken = undefined
    expect(await problemOf(tablet.upload(batch))).toMatchObject({ status: 401 })
    tablet.http.accessToken = token
    await server.pool.query('UPDATE signature_key SET revoked_at = now() WHERE public_key = $1', [tablet.keys.get(1)!.publicKey])
    expect((await problemOf(tablet.upload(batch))).document).toMatchObject({ rule: 'credential' })
    await bob.revoke(tablet)
    expect(await problemOf(tablet.upload(batch))).toMatchObject({ status: 401 })
  })
})

describe('deletion', () => {
  test('of one, and of all', async () => {
    const { stored } = await bob.upload(await bob.make(3))
    const path = `/v1/key-packages/${Buffer.from(stored[1]!.ref).toString('base64url')}`
    expect(await problemOf(alice.http.delete(path))).toMatchObject({ status: 404 })
    expect(await bob.http.delete(path)).toEqual({ deleted: 1 })
    expect(await problemOf(bob.http.delete(path))).toMatchObject({ status: 404 })
    expect(await bob.http.delete('/v1/key-packages')).toEqual({ deleted: 2 })
    expect((await alice.claim(bob.user)).unavailable).toEqual([bob.client])
  })
})

describe('claims', () => {
  test('get one of each device, and say which have none', async () => {
    const tablet = await HttpDevice.register(server.url, { sibling: bob })
    const laptop = await HttpDevice.register(server.url, { sibling: bob })
    await bob.upload(await bob.make(1))
    await tablet.upload(await tablet.make(1, 2))
    const { key_packages: got, unavailable } = await alice.claim(bob.user, [2, 1])
    expect(new Map(got.map((item) => [item.client, item.cipher_suite]))).toEqual(
      new Map([
        [bob.client, 1],
        [tablet.client, 2],
      ]),
    )
    expect(unavailable).toEqual([laptop.client])
  })

  test("for one's own user are for the other devices", async () => {
    const tablet = await HttpDevice.register(server.url, { sibling: bob })
    await bob.upload(await bob.make(1))
    await tablet.upload(await tablet.make(1))
    expect((await bob.claim(bob.user)).key_packages.map((item) => item.client)).toEqual([tablet.client])
    expect(await bob.counts()).toMatchObject([{ available: 1 }])
    await alice.upload(await alice.make(1))
    expect(await alice.claim(alice.user)).toEqual({ key_packages: [], unavailable: [], reasons: [] })
  })

  test('filter by required capabilities, of which the default ones are met by all', async () => {
    await bob.upload([...(await bob.make(1)), ...(await bob.make(1, 1, { capabilities: { extensions: [0xf001], proposals: [0xf002] } }))])
    const required = { extensions: [1, 3, 0xf001], proposals: [1, 7, 0xf002], credentials: [1] }
    const { key_packages: got } = await alice.claim(bob.user, [1], { required_capabilities: required })
    expect(got).toHaveLength(1)
    // It has others, which do not list what is required.
    expect(await alice.claim(bob.user, [1], { required_capabilities: required })).toEqual({
      key_packages: [],
      unavailable: [bob.client],
      reasons: [{ client: bob.client, reason: 'incompatible' }],
    })
    expect((await alice.claim(bob.user)).key_packages).toHaveLength(1)
  })

  test('get nothing of a device from the moment it is revoked', async () => {
    const tablet = await HttpDevice.register(server.url, { sibling: bob })
    await tablet.upload(await tablet.make(2), await tablet.make(1))
    await bob.revoke(tablet)
    expect(await alice.claim(bob.user)).toEqual({
      key_packages: [],
      unavailable: [bob.client],
      reasons: [{ client: bob.client, reason: 'exhausted' }],
    })
    await server.app.get(KeyPackagePurge).run()
    const { rows } = await server.pool.query('SELECT 1 FROM key_package JOIN device ON device.id = device_id WHERE client_uri = $1', [
      tablet.client,
    ])
    expect(rows).toEqual([])
  })

  test('of many at once on two nodes get each KeyPackage once', async () => {
    const uploaded = await bob.make(20)
    await bob.upload(uploaded, await bob.make(1))
    const claimers = [alice, await HttpDevice.register(second.url)]
    const claims = await Promise.all(Array.from({ length: 50 }, (_, index) => claimers[index % 2]!.claim(bob.user)))
    const got = claims.flatMap((claim) => claim.key_packages)
    expect(got).toHaveLength(50)
    expect(
      got
        .filter((item) => !item.last_resort)
        .map((item) => hex(item.key_package))
        .sort(),
    ).toEqual(uploaded.map(hex).sort())
  })

  test('that leave too little put one warning into the inbox, and hint it', async () => {
    const heard: Hint[] = []
    const stop = server.app.get(Hints).subscribe((hint) => heard.push(hint))
    await bob.upload(await bob.make(4))
    for (let round = 0; round < 4; round++) await alice.claim(bob.user)
    stop()
    const { rows } = await server.pool.query(
      'SELECT device_id, inbox.kind, payload FROM inbox JOIN device ON device.id = device_id WHERE client_uri = $1',
      [bob.client],
    )
    expect(rows).toMatchObject([{ kind: 'key-packages.low', payload: { cipher_suite: 1, remaining: 2 } }])
    expect(heard).toEqual([{ kind: 'inbox', deviceId: rows[0].device_id }])
  })

  test("of nobody, of a stranger's domain and of nonsense are refused", async () => {
    expect(await problemOf(alice.claim('mimi://localhost/u/nobody'))).toMatchObject({ status: 404 })
    expect(await problemOf(alice.claim('mimi://elsewhere.example/u/bob'))).toMatchObject({ status: 404 })
    for (const [user, suites] of [
      ['bob', [1]],
      [bob.client, [1]],
      [bob.user, []],
      [bob.user, [0]],
      [bob.user, [65536]],
    ] as const) {
      expect(await problemOf(alice.claim(user, [...suites]))).toMatchObject({ status: 400, kind: 'invalid-request' })
    }
    expect(await problemOf(alice.claim(bob.user, [1], { surprise: 1 }))).toMatchObject({ status: 400 })
  })
})
