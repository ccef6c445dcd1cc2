import { beforeEach, expect, test } from '@jest/globals'
import type { Pool } from 'pg'
import { claimKeyPackages } from '../../src/key-packages/claims.repository.js'
import { countKeyPackages, deleteKeyPackages } from '../../src/key-packages/key-packages.repository.js'
import { useTestDatabase } from '../support/database.js'
import { checked, hex, manyChecked, newDevice, store, wanting, type TestDevice } from './key-package-fixture.js'

const database = useTestDatabase()
let pool: Pool
let device: TestDevice

beforeEach(async () => {
  pool = database.pool
  device = await newDevice(pool)
})

const counts = () => countKeyPackages(pool, device.deviceId)
const claim = async () => (await claimKeyPackages(pool, [device.deviceId], wanting(), 0)).claimed[0]

test('what is stored is counted per suite', async () => {
  await store(pool, device, [
    ...manyChecked(3, device),
    ...manyChecked(2, device, { cipherSuite: 2 }),
    checked(device, { cipherSuite: 2, lastResort: true }),
  ])
  expect(await counts()).toEqual([
    { cipherSuite: 1, available: 3, lastResort: false },
    { cipherSuite: 2, available: 2, lastResort: true },
  ])
})

test('a repeated upload changes nothing, also when some were claimed in between', async () => {
  const uploaded = [...manyChecked(3, device), checked(device, { lastResort: true })]
  await store(pool, device, uploaded)
  await claim()
  expect(await store(pool, device, uploaded)).toBe('stored')
  expect(await counts()).toEqual([{ cipherSuite: 1, available: 2, lastResort: true }])
})

test('what was deleted unclaimed may be uploaded again, what was claimed may not', async () => {
  const [first, second] = manyChecked(2, device)
  await store(pool, device, [first!, second!])
  await claim()
  await deleteKeyPackages(pool, device.deviceId)
  await store(pool, device, [first!, second!])
  expect(hex((await claim())!.ref)).toBe(hex(second!.ref))
  expect(await claim()).toBeUndefined()
})

test('there is one last resort per suite: the newer replaces the older, and a deleted one can come back', async () => {
  const [older, newer, elsewhere] = [
    checked(device, { lastResort: true }),
    checked(device, { lastResort: true }),
    checked(device, { lastResort: true, cipherSuite: 2 }),
  ]
  await store(pool, device, [older, elsewhere])
  await store(pool, device, [newer])
  expect(hex((await claim())!.ref)).toBe(hex(newer.ref))
  expect(await counts()).toMatchObject([{ lastResort: true }, { lastResort: true }])
  await deleteKeyPackages(pool, device.deviceId)
  await store(pool, device, [newer])
  expect(hex((await claim())!.ref)).toBe(hex(newer.ref))
})

test('roles do not change, neither before nor after a claim', async () => {
  const [ordinary, claimed] = manyChecked(2, device)
  const last = checked(device, { lastResort: true })
  await store(pool, device, [claimed!, last])
  await claim()
  await store(pool, device, [ordinary!])
  for (const changed of [
    { ...ordinary!, lastResort: true },
    { ...claimed!, lastResort: true },
    { ...last, lastResort: false },
  ]) {
    expect(await store(pool, device, [checked(device), changed])).toBe('role')
  }
  await deleteKeyPackages(pool, device.deviceId)
  expect(await store(pool, device, [{ ...last, lastResort: false }])).toBe('role')
  expect(await counts()).toEqual([])
})

test('a device keeps at most a fixed number; what is there or spent already does not count, nor what has expired', async () => {
  const uploaded = manyChecked(4, device)
  const limit = { max: 5 }
  expect(await store(pool, device, uploaded, limit)).toBe('stored')
  expect(await store(pool, device, [...uploaded, checked(device)], limit)).toBe('stored')
  expect(await store(pool, device, [...uploaded, checked(device)], limit)).toBe('too-many')
  expect(await store(pool, device, [checked(device, { lastResort: true })], limit)).toBe('stored')
  expect((await counts())[0]?.available).toBe(5)
  await pool.query("UPDATE key_package SET expires_at = now() - interval '1 second' WHERE device_id = $1", [device.deviceId])
  expect(await store(pool, device, manyChecked(5, device), limit)).toBe('stored')
})

test('uploads at once keep to the maximum', async () => {
  const outcomes = await Promise.all(Array.from({ length: 10 }, () => store(pool, device, manyChecked(3, device), { max: 10 })))
  expect(outcomes.filter((outcome) => outcome === 'stored')).toHaveLength(3)
  expect((await counts())[0]?.available).toBe(9)
})

test('a revoked device stores nothing', async () => {
  await pool.query('UPDATE device SET revoked_at = now() WHERE id = $1', [device.deviceId])
  expect(await store(pool, device, [checked(device)])).toBe('revoked')
  expect(await counts()).toEqual([])
})

test("a device deletes its own and nobody else's", async () => {
  const other = await newDevice(pool)
  const [mine, theirs] = [checked(device), checked(other)]
  await store(pool, device, [mine, checked(device)])
  await store(pool, other, [theirs])
  expect(await deleteKeyPackages(pool, device.deviceId, theirs.ref)).toBe(0)
  expect(await deleteKeyPackages(pool, device.deviceId, mine.ref)).toBe(1)
  expect(await deleteKeyPackages(pool, device.deviceId)).toBe(1)
  expect(await countKeyPackages(pool, other.deviceId)).toMatchObject([{ available: 1 }])
})
