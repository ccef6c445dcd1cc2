import { beforeEach, describe, expect, test } from '@jest/globals'
import type { Pool } from 'pg'
import { claimKeyPackages, routeRefs, type ClaimedKeyPackage, type Wanted } from '../../src/key-packages/claims.repository.js'
import { deleteKeyPackages, purgeKeyPackages } from '../../src/key-packages/key-packages.repository.js'
import { useTestDatabase } from '../support/database.js'
import { checked, hex, manyChecked, newDevice, store, wanting, type TestDevice } from './key-package-fixture.js'

const database = useTestDatabase()
let pool: Pool
let device: TestDevice

beforeEach(async () => {
  pool = database.pool
  device = await newDevice(pool)
})

async function claim(changes: Partial<Wanted> = {}): Promise<ClaimedKeyPackage | undefined> {
  const { claimed } = await claimKeyPackages(pool, [device.deviceId], wanting(changes), 0)
  expect(claimed.length).toBeLessThanOrEqual(1)
  return claimed[0]
}

const ofDevice = (table: string) => pool.query(`SELECT * FROM ${table} WHERE device_id = $1`, [device.deviceId]).then(({ rows }) => rows)
const expire = (age: string, table = 'key_package') =>
  pool.query(`UPDATE ${table} SET expires_at = now() - $2::interval WHERE device_id = $1`, [device.deviceId, age])

describe('what a claim chooses', () => {
  test('the oldest first', async () => {
    const uploaded = manyChecked(3, device)
    await store(pool, device, uploaded)
    for (const { ref } of uploaded) expect(hex((await claim())!.ref)).toBe(hex(ref))
    expect(await claim()).toBeUndefined()
  })

  test('the preferred suite, then the others, and a last resort only when all accepted suites are used up', async () => {
    await store(pool, device, [
      checked(device, { cipherSuite: 1 }),
      checked(device, { cipherSuite: 2 }),
      checked(device, { cipherSuite: 3 }),
      checked(device, { cipherSuite: 2, lastResort: true }),
      checked(device, { cipherSuite: 1, lastResort: true }),
    ])
    const got = [await claim({ cipherSuites: [2, 1] }), await claim({ cipherSuites: [2, 1] }), await claim({ cipherSuites: [2, 1] })]
    expect(got.map((item) => [item?.cipherSuite, item?.lastResort])).toEqual([
      [2, false],
      [1, false],
      [2, true],
    ])
  })

  test('only what lists all that is required', async () => {
    const rich = checked(device, { extensions: [0xf001, 0xf002], proposals: [0xf003], credentials: [1, 2] })
    await store(pool, device, [checked(device, { extensions: [0xf001] }), rich])
    expect(await claim({ extensions: [0xf001, 0xf009] })).toBeUndefined()
    const got = await claim({ extensions: [0xf002, 0xf001], proposals: [0xf003], credentials: [2] })
    expect(hex(got!.ref)).toBe(hex(rich.ref))
  })

  test('never an expired one, ordinary or last resort', async () => {
    await store(pool, device, [checked(device), checked(device, { lastResort: true })])
    await expire('1 second')
    expect(await claim()).toBeUndefined()
  })

  test.each([
    ['a revoked device', 'UPDATE device SET revoked_at = now() WHERE id = $1'],
    ['a device of a disabled account', 'UPDATE account SET disabled_at = now() WHERE id = (SELECT account_id FROM device WHERE id = $1)'],
    ['a device whose key was revoked', 'UPDATE signature_key SET revoked_at = now() WHERE device_id = $1'],
    ['a device whose key is over', "UPDATE signature_key SET valid_until = now() - interval '1 second' WHERE device_id = $1"],
  ])('nothing of %s', async (_name, statement) => {
    await store(pool, device, [checked(device), checked(device, { lastResort: true })])
    await pool.query(statement, [device.deviceId])
    expect(await claim()).toBeUndefined()
  })

  test('goes by indexes, however many others there are', async () => {
    const { rows } = await pool.query<{ 'QUERY PLAN': string }>(
      `EXPLAIN (COSTS OFF) DELETE FROM key_package WHERE (device_id, id) = (
         SELECT k.device_id, k.id FROM key_package k
          WHERE k.device_id = 1 AND k.cipher_suite = 1 AND NOT k.last_resort AND key_package_fits(k, '{}', '{}', '{}', '{}')
          ORDER BY k.id LIMIT 1 FOR UPDATE SKIP LOCKED)`,
    )
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n')
    expect(plan).toContain('Index Scan using key_package_claimable')
    expect(plan).toContain('Index Scan using key_package_pkey')
    expect(plan).not.toMatch(/Seq Scan|Sort|key_package_fits/)
  })
})

describe('where Welcomes go', () => {
  test('a claimed one to its device, also after it was deleted; an unclaimed one nowhere', async () => {
    const [first, second] = manyChecked(2, device)
    await store(pool, device, [first!, second!])
    await claim()
    await deleteKeyPackages(pool, device.deviceId)
    const routes = await routeRefs(pool, [first!.ref, second!.ref])
    expect([...routes.keys()]).toEqual([hex(first!.ref)])
    expect(routes.get(hex(first!.ref))).toMatchObject({ deviceId: device.deviceId, expiresAt: first!.expiresAt })
  })

  test('one of last resort to its device, also once a newer replaced it', async () => {
    const older = checked(device, { lastResort: true })
    await store(pool, device, [older])
    await store(pool, device, [checked(device, { lastResort: true })])
    expect((await routeRefs(pool, [older.ref])).get(hex(older.ref))?.deviceId).toBe(device.deviceId)
  })
})

describe('the warning that KeyPackages run low', () => {
  const claimLow = async (low = 3) => (await claimKeyPackages(pool, [device.deviceId], wanting(), low)).notified.length

  test('comes below the mark, once until it is acknowledged', async () => {
    await store(pool, device, manyChecked(6, device))
    expect([await claimLow(), await claimLow(), await claimLow(), await claimLow(), await claimLow()]).toEqual([0, 0, 0, 1, 0])
    expect(await ofDevice('inbox')).toMatchObject([{ kind: 'key-packages.low', payload: { cipher_suite: 1, remaining: 2 } }])
    await pool.query('DELETE FROM inbox WHERE device_id = $1', [device.deviceId])
    expect([await claimLow(), await claimLow()]).toEqual([1, 0])
  })

  test('goes away with a refill, so that the next shortage is reported again', async () => {
    await store(pool, device, manyChecked(3, device))
    expect(await claimLow()).toBe(1)
    await store(pool, device, manyChecked(1, device, { cipherSuite: 2 }), { low: 3 })
    expect(await ofDevice('inbox')).toHaveLength(1)
    await store(pool, device, manyChecked(1, device), { low: 3 })
    expect(await ofDevice('inbox')).toHaveLength(0)
    expect(await claimLow()).toBe(1)
  })

  test('comes with the last resort, too, and when there is nothing left to claim', async () => {
    await store(pool, device, [checked(device, { lastResort: true })])
    expect(await claimLow()).toBe(1)
    await pool.query('DELETE FROM inbox WHERE device_id = $1', [device.deviceId])
    await deleteKeyPackages(pool, device.deviceId)
    expect(await claimLow()).toBe(1)
  })

  test('does not come for suites that the device never offered', async () => {
    await store(pool, device, manyChecked(5, device))
    expect((await claimKeyPackages(pool, [device.deviceId], wanting({ cipherSuites: [7] }), 3)).notified).toEqual([])
  })
})

describe('the purge', () => {
  const purge = () => purgeKeyPackages(pool, { limit: 100, low: 2 })
  beforeEach(() => pool.query('TRUNCATE key_package, key_package_claim CASCADE'))

  test('removes what has expired, and tells whom that left with too little', async () => {
    await store(pool, device, manyChecked(3, device))
    await expire('1 second')
    expect(await purge()).toEqual({ purged: 3, notified: [device.deviceId] })
    expect(await ofDevice('key_package')).toEqual([])
    expect(await purge()).toEqual({ purged: 0, notified: [] })
  })

  test('removes what a revoked device left, and does not write to it', async () => {
    await store(pool, device, manyChecked(3, device))
    await pool.query('UPDATE device SET revoked_at = now() WHERE id = $1', [device.deviceId])
    expect(await purge()).toEqual({ purged: 3, notified: [] })
  })

  test('keeps a claim for a day after its KeyPackage expired', async () => {
    await store(pool, device, manyChecked(1, device))
    await claim()
    await expire('23 hours', 'key_package_claim')
    await purge()
    expect(await ofDevice('key_package_claim')).toHaveLength(1)
    await expire('25 hours', 'key_package_claim')
    await purge()
    expect(await ofDevice('key_package_claim')).toHaveLength(0)
  })

  test('continues in batches', async () => {
    await store(pool, device, manyChecked(5, device))
    await expire('1 second')
    expect((await purgeKeyPackages(pool, { limit: 3, low: 0 })).purged).toBe(3)
    expect((await purgeKeyPackages(pool, { limit: 3, low: 0 })).purged).toBe(2)
  })
})
