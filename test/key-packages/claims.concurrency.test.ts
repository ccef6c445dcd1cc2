import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import type { Pool, PoolClient } from 'pg'
import { claimKeyPackages, type ClaimedKeyPackage } from '../../src/key-packages/claims.repository.js'
import { deleteKeyPackages, purgeKeyPackages } from '../../src/key-packages/key-packages.repository.js'
import { createPool } from '../../src/platform/postgres/sql.js'
import { createTestDatabase, type TestDatabase } from '../support/database.js'
import { checked, hex, manyChecked, newDevice, store, untilBlocked, wanting, type TestDevice } from './key-package-fixture.js'

const NODES = 4

let database: TestDatabase
let nodes: Pool[]
let pool: Pool
let device: TestDevice

beforeAll(async () => {
  database = await createTestDatabase()
  nodes = Array.from({ length: NODES }, () => createPool(database.url, { max: 6, prepare: true }))
  pool = nodes[0]!
})
afterAll(async () => {
  await Promise.all(nodes.map((node) => node.end()))
  await database.drop()
})
beforeEach(async () => {
  device = await newDevice(pool)
})

const claim = async (devices: TestDevice[] = [device], node: Pool | PoolClient = pool): Promise<ClaimedKeyPackage[]> =>
  (
    await claimKeyPackages(
      node,
      devices.map((one) => one.deviceId),
      wanting(),
      0,
    )
  ).claimed

/** `count` claims at once, spread over the nodes. */
const claimEverywhere = async (count: number, devices: TestDevice[] = [device]): Promise<ClaimedKeyPackage[]> =>
  (await Promise.all(Array.from({ length: count }, (_, index) => claim(devices, nodes[index % NODES])))).flat()

const refs = (claimed: ClaimedKeyPackage[]): string[] => claimed.filter((item) => !item.lastResort).map((item) => hex(item.ref))

async function openConnection(): Promise<{ client: PoolClient; pid: number }> {
  const client = await pool.connect()
  client.on('error', () => undefined)
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
  return { client, pid: rows[0]!.pid }
}

/** A claim whose transaction is still open, on a connection of its own. */
async function openClaim(devices: TestDevice[] = [device]): Promise<{ client: PoolClient; pid: number; claimed: ClaimedKeyPackage[] }> {
  const { client, pid } = await openConnection()
  await client.query('BEGIN')
  return { client, pid, claimed: await claim(devices, client) }
}

describe('claims at once over several nodes', () => {
  test('[I6] hand out each KeyPackage exactly once, and the last resort only to those who come after', async () => {
    const uploaded = manyChecked(40, device)
    await store(pool, device, [...uploaded, checked(device, { lastResort: true })])
    const claimed = await claimEverywhere(100)
    expect(claimed).toHaveLength(100)
    expect(refs(claimed).sort()).toEqual(uploaded.map((item) => hex(item.ref)).sort())
    expect(claimed.filter((item) => item.lastResort)).toHaveLength(60)
  })

  test('never more than there is where there is no last resort', async () => {
    await store(pool, device, manyChecked(7, device))
    const claimed = await claimEverywhere(60)
    expect(new Set(refs(claimed)).size).toBe(7)
    expect(claimed).toHaveLength(7)
  })

  test('do not deadlock over many devices, uploads, deletions and purges', async () => {
    const devices = await Promise.all(Array.from({ length: 5 }, () => newDevice(pool)))
    const uploaded = new Map(devices.map((one) => [one, manyChecked(10, one)]))
    const upload = () => Promise.all(devices.map((one) => store(nodes[1]!, one, uploaded.get(one)!, { low: 8 })))
    await upload()
    const claims = Array.from({ length: 40 }, (_, index) => {
      const order = index % 2 ? devices : [...devices].reverse()
      return claimKeyPackages(
        nodes[index % NODES]!,
        order.map((one) => one.deviceId),
        wanting(),
        8,
      )
    })
    const [results] = await Promise.all([
      Promise.all(claims),
      upload(),
      upload(),
      purgeKeyPackages(pool, { limit: 100, low: 8 }),
      purgeKeyPackages(nodes[2]!, { limit: 100, low: 8 }),
      deleteKeyPackages(nodes[3]!, devices[4]!.deviceId),
    ])
    const handedOut = results.flatMap((result) => refs(result.claimed))
    expect(new Set(handedOut).size).toBe(handedOut.length)
    const warned = await pool.query('SELECT device_id FROM inbox WHERE device_id = ANY ($1)', [devices.map((one) => one.deviceId)])
    expect(new Set(warned.rows.map((row) => row.device_id)).size).toBe(warned.rows.length)
  })

  test("go through devices in one order, whatever the caller's: two of them cannot wait for each other", async () => {
    const [first, middle, last] = [await newDevice(pool), await newDevice(pool), await newDevice(pool)]
    for (const one of [first, middle, last]) await store(pool, one, [checked(one)])
    const obstacle = await openClaim([middle])
    const forwards = await openConnection()
    const all = claim([first, middle, last], forwards.client)
    await untilBlocked(pool, obstacle.pid)
    const backwards = claim([last, first], nodes[1])
    await untilBlocked(pool, forwards.pid)
    await obstacle.client.query('ROLLBACK')
    obstacle.client.release()
    expect((await all).map((item) => item.deviceId)).toEqual([first, middle, last].map((one) => one.deviceId))
    expect(await backwards).toEqual([])
    forwards.client.release()
  })

  test('warn once when many of them cross the mark', async () => {
    await store(pool, device, manyChecked(20, device))
    const ids = [device.deviceId]
    const results = await Promise.all(Array.from({ length: 30 }, (_, index) => claimKeyPackages(nodes[index % NODES]!, ids, wanting(), 10)))
    expect(results.flatMap((result) => result.notified)).toEqual(ids)
    const { rows } = await pool.query('SELECT kind FROM inbox WHERE device_id = $1', [device.deviceId])
    expect(rows).toEqual([{ kind: 'key-packages.low' }])
  })
})

describe('a claim in flight', () => {
  test('is passed by: the next claimer takes the next KeyPackage without waiting', async () => {
    await store(pool, device, manyChecked(2, device))
    const first = await openClaim()
    const second = await claim()
    await first.client.query('COMMIT')
    first.client.release()
    expect(new Set([...refs(first.claimed), ...refs(second)]).size).toBe(2)
  })

  test('on the last KeyPackage keeps others from the last resort until it is decided: rolled back, they get that KeyPackage', async () => {
    await store(pool, device, [checked(device), checked(device, { lastResort: true })])
    const first = await openClaim()
    const second = claim([device], nodes[1])
    await untilBlocked(pool, first.pid)
    await first.client.query('ROLLBACK')
    first.client.release()
    expect(refs(await second)).toEqual(refs(first.claimed))
    expect(await claim()).toMatchObject([{ lastResort: true }])
  })

  test('on the last KeyPackage, committed, leaves the last resort', async () => {
    await store(pool, device, [checked(device), checked(device, { lastResort: true })])
    const first = await openClaim()
    const second = claim([device], nodes[1])
    await untilBlocked(pool, first.pid)
    await first.client.query('COMMIT')
    first.client.release()
    expect(await second).toMatchObject([{ lastResort: true }])
  })

  test('[I6] whose connection dies loses nothing and hands out nothing twice', async () => {
    await store(pool, device, [...manyChecked(3, device), checked(device, { lastResort: true })])
    const doomed = await openClaim()
    const others = claimEverywhere(5)
    await untilBlocked(pool, doomed.pid)
    await pool.query('SELECT pg_terminate_backend($1)', [doomed.pid])
    const claimed = await others
    doomed.client.release(true)
    expect(new Set(refs(claimed)).size).toBe(3)
    expect(refs(claimed)).toContain(refs(doomed.claimed)[0])
    expect(claimed.filter((item) => item.lastResort)).toHaveLength(2)
  })

  test('that hangs does not hold up others forever: they get the last resort', async () => {
    await store(pool, device, [checked(device), checked(device, { lastResort: true })])
    const hanging = await openClaim()
    expect(await claim([device], nodes[1])).toMatchObject([{ lastResort: true }])
    await hanging.client.query('ROLLBACK')
    hanging.client.release()
  })

  test('is not undone by a repeated upload of what it takes', async () => {
    const [only] = manyChecked(1, device)
    await store(pool, device, [only!])
    const first = await openClaim()
    const again = store(nodes[1]!, device, [only!])
    await untilBlocked(pool, first.pid)
    await first.client.query('COMMIT')
    first.client.release()
    expect(await again).toBe('stored')
    expect(await claim()).toEqual([])
  })
})
