import { beforeEach, expect, test } from '@jest/globals'
import type { Pool, PoolClient } from 'pg'
import { claimKeyPackages, type ClaimedKeyPackage } from '../../src/key-packages/claims.repository.js'
import { createPool } from '../../src/platform/postgres/sql.js'
import { useTestDatabase } from '../support/database.js'
import { hex, manyChecked, newDevice, store, wanting, type TestDevice } from './key-package-fixture.js'

const database = useTestDatabase()
let pool: Pool
let device: TestDevice

beforeEach(async () => {
  pool = database.pool
  device = await newDevice(pool)
})

const claim = async (sql: Pool | PoolClient): Promise<ClaimedKeyPackage[]> =>
  (await claimKeyPackages(sql, [device.deviceId], wanting(), 0)).claimed
const claimTheRest = async (count: number): Promise<ClaimedKeyPackage[]> =>
  (await Promise.all(Array.from({ length: count }, () => claim(pool)))).flat()
const refs = (claimed: ClaimedKeyPackage[]): string[] => claimed.map((item) => hex(item.ref))

/** Connections that somebody is going to kill. */
function createVictims(max: number): Pool {
  const victims = createPool(database.url, { max, prepare: true })
  victims.on('connect', (client) => void client.on('error', () => undefined))
  return victims
}

test('killing claimers before and during COMMIT hands out nothing twice, and loses nothing that was not committed', async () => {
  const uploaded = manyChecked(40, device)
  await store(pool, device, uploaded)
  const victims = createVictims(8)

  const claimAndDie = async (victim: number): Promise<ClaimedKeyPackage[]> => {
    const client = await victims.connect()
    await client.query('BEGIN')
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
    const claimed = await claim(client)
    const kill = () => pool.query('SELECT pg_terminate_backend($1)', [rows[0]!.pid])
    if (victim % 2 === 0) await kill()
    const committed = client.query('COMMIT').then(
      () => true,
      () => false,
    )
    if (victim % 2 === 1) await kill()
    const outcome = await committed
    client.release(true)
    return outcome ? claimed : []
  }
  const answered = (await Promise.all(Array.from({ length: 24 }, (_, victim) => claimAndDie(victim)))).flat()
  await victims.end()
  const known = new Set([...refs(answered), ...refs(await claimTheRest(50))])

  // Committed just before the kill, an answer may be lost: that KeyPackage is lost to all, which is the right side to err on.
  const { rows } = await pool.query<{ ref: Buffer }>('SELECT ref FROM key_package_claim WHERE device_id = $1', [device.deviceId])
  expect(rows.map((row) => hex(row.ref)).sort()).toEqual(uploaded.map((item) => hex(item.ref)).sort())
  expect(answered.length).toBeLessThanOrEqual(12)
  expect(known.size).toBeGreaterThanOrEqual(28)
})

test('no answer repeats a KeyPackage while claimers are killed', async () => {
  await store(pool, device, manyChecked(30, device))
  const victims = createVictims(6)
  const answers: ClaimedKeyPackage[] = []
  let lost = 0
  const claimer = async () => {
    for (let round = 0; round < 10; round++) {
      await claim(victims).then(
        (claimed) => answers.push(...claimed),
        () => lost++,
      )
    }
  }
  let running = true
  const killer = async () => {
    while (running) {
      await pool.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                         WHERE datname = current_database() AND state = 'active' AND query LIKE '%claim_key_packages%'
                           AND pid <> pg_backend_pid() LIMIT 1`)
    }
  }
  const killing = killer()
  await Promise.all(Array.from({ length: 6 }, claimer))
  running = false
  await killing
  await victims.end()
  answers.push(...(await claimTheRest(40)))
  expect(lost).toBeGreaterThan(0)
  expect(new Set(refs(answers)).size).toBe(answers.length)
})
