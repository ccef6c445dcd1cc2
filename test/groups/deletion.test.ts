import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { Client } from '../../examples/client/client.js'
import type { Group } from '../../examples/client/group.js'
import { readInbox } from '../../src/delivery/inbox/inbox.repository.js'
import { readDevice } from '../../src/delivery/read/device-log.repository.js'
import { readGroup } from '../../src/delivery/read/group-log.repository.js'
import { readRun } from '../../src/federation/push/outgoing.repository.js'
import { DeletedGroups } from '../../src/groups/delete/deleted-groups.job.js'
import { countRemains, deleteRemains } from '../../src/groups/delete/remains.repository.js'
import { readCommitOf, readHandshakes, readMissedHandshakes, readPublicProposals } from '../../src/groups/repository/log.repository.js'
import { findGroupInfo, findSnapshot, findTree } from '../../src/groups/repository/states.repository.js'
import { findReadCommit } from '../../src/groups/reset/reports.repository.js'
import { Metrics } from '../../src/platform/observability/metrics.js'
import { useTestDatabase } from '../support/database.js'
import { eventually } from '../support/eventually.js'
import { spawnServer } from '../support/server.js'
import { GENEROUS, World } from '../support/world.js'
import { refusal, useStage } from './group-fixture.js'

const TABLES = ['log', 'welcome', 'group_info', 'group_tree', 'group_snapshot']
const WIDE = { entries: 10_000, bytes: 1 << 30 }
// Nothing is deleted but by the tests: no jobs run in a process that is `api` only.
const stage = useStage({ ROLE: 'api' })

async function rowsLeft(sql: typeof stage.pool, gid: bigint): Promise<number> {
  const counts = TABLES.map((table) => `(SELECT count(*) FROM ${table} WHERE gid = $1)`).join(' + ')
  const { rows } = await sql.query<{ left: bigint }>(`SELECT ${counts} AS left`, [gid])
  return Number(rows[0]!.left)
}

/** Messages of `size` bytes, as if they had been posted one after the other. */
async function grow(sql: typeof stage.pool, gid: bigint, count: number, size = 1): Promise<void> {
  await sql.query(
    `WITH g AS (UPDATE groups SET head_seq = head_seq + $2, bytes = bytes + $2 * $3 WHERE gid = $1 RETURNING head_seq - $2 AS before, epoch)
     INSERT INTO log (gid, seq, kind, epoch, accepted_at, hash, chain, bytes)
     SELECT $1, before + n, 'a', epoch, now(), sha256(n::text::bytea), sha256(n::text::bytea), decode(repeat('ab', $3::integer), 'hex')
       FROM g, generate_series(1, $2::bigint) n`,
    [gid, count, size],
  )
}

async function longGroup(count: number, size?: number): Promise<{ alice: Client; bob: Client; group: Group; gid: bigint }> {
  const [alice, bob] = await stage.cast('alice', 'bob')
  const group = await stage.group(alice, [bob], { mode: 'private' })
  const gid = await stage.gid(group)
  await grow(stage.pool, gid, count, size)
  return { alice, bob, group, gid }
}

const job = () => stage.server.app.get(DeletedGroups, { strict: false })
const withRemains = async () => {
  const gauge = stage.server.app.get(Metrics, { strict: false }).registry.getSingleMetric('deleted_groups_with_remains')
  return (await gauge!.get()).values[0]!.value
}

describe('the deletion of a long group', () => {
  it('[I8] ends with its tombstone, after which nothing is read, though rows are left for a while', async () => {
    const { alice, bob, group, gid } = await longGroup(3_500)
    const device = await stage.deviceId(bob)
    const epoch = BigInt(group.epoch)
    // What a request does that looked at the group before it was deleted.
    const reads: Record<string, () => Promise<unknown>> = {
      readGroup: () => readGroup(stage.pool, gid, 0n, WIDE),
      readDevice: () => readDevice(stage.pool, device, [{ gid, fromSeq: 2n, after: 1n }], WIDE),
      readRun: () => readRun(stage.pool, gid, 0n, 10_000n, WIDE),
      readHandshakes: () => readHandshakes(stage.pool, gid, 0n, epoch, 10_000),
      readMissedHandshakes: () => readMissedHandshakes(stage.pool, gid, device, 0n),
      readCommitOf: () => readCommitOf(stage.pool, gid, 0n),
      readPublicProposals: () => readPublicProposals(stage.pool, gid, epoch, 0n),
      findGroupInfo: () => findGroupInfo(stage.pool, gid, epoch),
      findTree: () => findTree(stage.pool, gid, epoch),
      findSnapshot: () => findSnapshot(stage.pool, gid, epoch),
      findReadCommit: () => findReadCommit(stage.pool, gid, device, 1n),
    }
    expect(await reads['readGroup']!()).toMatchObject({ headSeq: 3_501n })
    expect(await reads['findTree']!()).toBeInstanceOf(Buffer)

    expect(await group.delete()).toEqual({ deleted_entries: 3_501 })
    expect(await rowsLeft(stage.pool, gid)).toBe(2_501)
    expect(await countRemains(stage.pool)).toBe(1)
    // As if the slice had taken other rows first.
    await stage.pool.query('INSERT INTO group_tree VALUES ($1, $2, $3)', [gid, epoch, 'tree'])
    await stage.pool.query('INSERT INTO group_info VALUES ($1, $2, $3)', [gid, epoch, 'info'])
    await stage.pool.query('INSERT INTO group_snapshot VALUES ($1, $2, 1, $3)', [gid, epoch, 'snapshot'])
    await stage.pool.query(`INSERT INTO log SELECT gid, 1, 'c', 0, accepted_at, hash, chain, bytes FROM log WHERE gid = $1 LIMIT 1`, [gid])
    const found: string[] = []
    for (const [name, read] of Object.entries(reads)) if (isSomething(await read())) found.push(name)
    expect(found).toEqual([])
    expect((await readInbox(stage.pool, device, [], 100, 1 << 30)).map(({ kind }) => kind)).toEqual(['key-packages.low', 'group.deleted'])

    for (const client of [alice, bob])
      for (const path of ['', '/policy', '/log', '/group-info', '/tree', '/sender-keys'])
        expect(await refusal(client.device.http.get(`${group.path}${path}`))).toMatchObject({ status: 410, kind: 'group-deleted' })

    await job().run()
    expect(await withRemains()).toBe(0)
    // The row that was made up above is where the job had been already.
    await stage.pool.query('DELETE FROM log WHERE gid = $1 AND seq = 1', [gid])
    expect(await rowsLeft(stage.pool, gid)).toBe(0)
  })

  it('goes on in slices, bounded in rows and in bytes, and waits for no lock of the group', async () => {
    const { group, gid } = await longGroup(1_200)
    await grow(stage.pool, gid, 40, 1 << 20)
    await group.delete()
    expect(await rowsLeft(stage.pool, gid)).toBe(241)
    const session = await stage.pool.connect()
    await session.query('BEGIN')
    await session.query('SELECT FROM groups WHERE gid = $1 FOR UPDATE', [gid])
    const slices: number[] = []
    while (await deleteRemains(stage.pool, gid, 1_000)) slices.push(await rowsLeft(stage.pool, gid))
    await session.query('ROLLBACK')
    session.release()
    // 201 small ones and 16 MiB, and 16 MiB, and the rest.
    expect(slices).toEqual([24, 8])
    expect(await rowsLeft(stage.pool, gid)).toBe(0)
  })

  it('gives each of several groups a slice in turn, and counts nothing for who pays', async () => {
    const long = await longGroup(4_000)
    const short = await longGroup(1_500)
    await long.group.delete()
    await short.group.delete()
    const { rows } = await stage.pool.query('SELECT bytes FROM groups WHERE gid = ANY ($1)', [[long.gid, short.gid]])
    expect(rows).toEqual([{ bytes: 0n }, { bytes: 0n }])
    const order: bigint[] = []
    const query = stage.pool.query.bind(stage.pool)
    const watch = (...given: [{ name?: string; values?: unknown[] }]): unknown => {
      if (given[0].name === 'delete_remains') order.push(given[0].values![0] as bigint)
      return Reflect.apply(query, stage.pool, given)
    }
    Object.assign(stage.pool, { query: watch })
    await job()
      .run()
      .finally(() => Object.assign(stage.pool, { query }))
    expect(order.filter((gid) => gid >= long.gid)).toEqual([long.gid, short.gid, long.gid, long.gid, long.gid])
    expect((await rowsLeft(stage.pool, long.gid)) + (await rowsLeft(stage.pool, short.gid))).toBe(0)
  })
})

const isSomething = (read: unknown): boolean => (Array.isArray(read) ? read.some((one) => one !== undefined) : read !== undefined)

describe('a process that is killed between two slices', () => {
  const database = useTestDatabase()
  let world: World | undefined
  let server: Awaited<ReturnType<typeof spawnServer>> | undefined
  beforeAll(async () => {
    server = await spawnServer(database.url, { ...GENEROUS, ROLE: 'both' })
    world = new World(server.url)
  })
  afterAll(async () => {
    await world?.disconnect()
    await server?.stop('SIGKILL')
  })

  it('[I8] leaves the rest to the next one, which continues where it was', async () => {
    const [alice] = await world!.cast('alice')
    const group = await world!.group(alice, [])
    const { rows } = await database.pool.query<{ gid: bigint }>('SELECT gid FROM groups WHERE group_id = $1', [group.record.groupId])
    const { gid } = rows[0]!
    await grow(database.pool, gid, 5_000)
    // The job comes as far as this row.
    const session = await database.pool.connect()
    await session.query('BEGIN')
    await session.query('SELECT FROM log WHERE gid = $1 AND seq = 3500 FOR UPDATE', [gid])
    expect(await group.delete()).toEqual({ deleted_entries: 5_000 })
    const progress = async () => {
      const found = await database.pool.query<{ reached: bigint; left: bigint }>(
        'SELECT r.after_seq AS reached, (SELECT count(*) FROM log WHERE gid = $1) AS left FROM group_remains r WHERE r.gid = $1',
        [gid],
      )
      return found.rows[0]
    }
    await eventually(progress, (seen) => seen?.reached === 3_000n)
    await server!.stop('SIGKILL')
    await session.query('ROLLBACK')
    session.release()
    // PostgreSQL may carry out the slice that waited, though nobody asks any more.
    const seen = await progress()
    expect([3_000n, 4_000n]).toContain(seen!.reached)
    expect(seen!.left).toBe(5_000n - seen!.reached)
    const next = new DeletedGroups(database.pool, {} as never, {} as never, {} as never, { gauge: () => undefined } as never)
    await eventually(
      () => next.run().then(progress),
      (rest) => rest === undefined,
    )
    expect(await rowsLeft(database.pool, gid)).toBe(0)
  })
})
