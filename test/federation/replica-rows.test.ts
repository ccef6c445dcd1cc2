import { describe, expect, it } from '@jest/globals'
import { applyMemberChanges, storeWelcomes } from '../../src/federation/follower/replica/replica-members.repository.js'
import { reincarnate } from '../../src/federation/follower/replica/incarnations.repository.js'
import { draftMembers, noteOutsider, noteShownLeaf } from '../../src/federation/draft/follower/draft-members.repository.js'
import { revokedMembers } from '../../src/federation/follower/revoked-members.repository.js'
import { useTestDatabase } from '../support/database.js'

const database = useTestDatabase()
let made = 0

/** A replica with entries up to 9, Commits at 1, 4 and 7. */
async function replica(hub = 'a.example'): Promise<bigint> {
  const { pool } = database
  const id = Buffer.from(`group ${++made}`)
  const { rows } = await pool.query<{ gid: bigint }>(
    `INSERT INTO groups (group_id, room_id, mode, cipher_suite, epoch, head_seq, head_chain) VALUES ($1, $2, 'public', 1, 3, 9, $1) RETURNING gid`,
    [id, `mimi://${hub}/r/r${made}`],
  )
  const { gid } = rows[0]!
  await pool.query('INSERT INTO followed_group (group_id, hub, room_id, gid) VALUES ($1, $2, $3, $4)', [
    id,
    hub,
    `mimi://${hub}/r/r${made}`,
    gid,
  ])
  await pool.query(
    `INSERT INTO log (gid, seq, kind, epoch, accepted_at, hash, chain, bytes)
     SELECT $1, s, CASE WHEN s % 3 = 1 THEN 'c' ELSE 'a' END, (s + 1) / 3, now(), sha256(s::text::bytea), sha256(s::text::bytea), '' FROM generate_series(1, 9) s`,
    [gid],
  )
  return gid
}

async function device(): Promise<bigint> {
  const name = `user${++made}`
  const { rows } = await database.pool.query<{ id: bigint }>(
    `WITH a AS (INSERT INTO account (user_uri) VALUES ('mimi://b.example/u/' || $1) RETURNING id)
     INSERT INTO device (account_id, client_uri) SELECT id, 'mimi://b.example/d/' || $1 || '/phone' FROM a RETURNING id`,
    [name],
  )
  return rows[0]!.id
}

const joined = (deviceId: bigint, seq: bigint) => ({ deviceId, seq, change: 'joined', epoch: 1n, ended: 'removed' }) as const
const left = (deviceId: bigint, seq: bigint) => ({ deviceId, seq, change: 'left', epoch: 1n, ended: 'left' }) as const
async function stays(gid: bigint, deviceId: bigint) {
  const { rows } = await database.pool.query<{ from: bigint; until: bigint | null; ended: string | null }>(
    'SELECT from_seq AS from, until_seq AS until, ended FROM member WHERE gid = $1 AND device_id = $2 ORDER BY 1',
    [gid, deviceId],
  )
  return rows.map(({ from, until, ended }) => [Number(from), until === null ? null : Number(until), ended])
}

describe('members of a replica', () => {
  it('come and go in one batch as they would in many', async () => {
    const [gid, one, other] = [await replica(), await device(), await device()]
    const changes = [joined(one, 1n), joined(other, 1n), left(one, 4n), joined(one, 7n), joined(other, 7n)]
    await applyMemberChanges(database.pool, gid, changes)
    expect(await stays(gid, one)).toEqual([
      [2, 4, 'left'],
      [8, null, null],
    ])
    expect(await stays(gid, other)).toEqual([
      [2, 7, 'resync'],
      [8, null, null],
    ])
    const again = await replica()
    for (const change of changes) await applyMemberChanges(database.pool, again, [change])
    for (const each of [one, other]) expect(await stays(again, each)).toEqual(await stays(gid, each))
  })

  it('are, after a restore of the hub, those of the place where it continues; what came after that is gone', async () => {
    const [gid, stayed, early, late] = [await replica(), await device(), await device(), await device()]
    await applyMemberChanges(database.pool, gid, [joined(stayed, 1n), joined(early, 1n), joined(late, 7n), left(early, 7n)])
    const expiresAt = new Date(Date.now() + 60_000)
    const welcome = (seq: bigint, epoch: bigint, deviceId: bigint) => ({
      seq,
      epoch,
      bytes: Buffer.from('w'),
      expiresAt,
      deviceIds: [deviceId],
    })
    await storeWelcomes(database.pool, gid, [welcome(1n, 1n, stayed), welcome(7n, 3n, late)])

    const count = async (what: string) =>
      Number((await database.pool.query<{ n: bigint }>(`SELECT count(*) AS n FROM ${what}`, [gid])).rows[0]!.n)

    const told = await reincarnate(database.pool, gid, 2, 5n, Buffer.alloc(32))
    // Who came in by what is gone hears of it, too.
    expect([...told].sort()).toEqual([stayed, early, late].sort())
    expect(await count('vanished_entry WHERE gid = $1 AND incarnation = 2')).toBe(4)
    expect([await stays(gid, stayed), await stays(gid, early), await stays(gid, late)]).toEqual([[[2, null, null]], [[2, null, null]], []])
    expect(await count('log WHERE gid = $1')).toBe(5)
    expect(await count('welcome WHERE gid = $1')).toBe(1)
    expect(await count("inbox WHERE gid = $1 AND kind = 'welcome'")).toBe(1)
    expect((await database.pool.query('SELECT epoch, head_seq AS head FROM groups WHERE gid = $1', [gid])).rows).toEqual([
      { epoch: 2n, head: 5n },
    ])
  })
})

it('each hub is notified of some revoked members in its turn, however many there are at another', async () => {
  const [busy, quiet] = [await replica('busy.example'), await replica('quiet.example')]
  const devices = await Promise.all(Array.from({ length: 6 }, device))
  for (const one of devices) await applyMemberChanges(database.pool, busy, [joined(one, 1n)])
  await applyMemberChanges(database.pool, quiet, [joined(devices[5]!, 1n)])
  await database.pool.query('UPDATE device SET revoked_at = now() WHERE id = ANY ($1)', [devices])
  const hubs = (await revokedMembers(database.pool, 3)).map(({ hub }) => hub).sort()
  expect(hubs).toEqual(['busy.example', 'busy.example', 'busy.example', 'quiet.example'])
})

it('in a group of a draft hub, a device cannot change its leaf, nor take that of another device here', async () => {
  const { pool } = database
  const gid = await replica()
  const [one, other, outsider] = [await device(), await device(), await device()]
  for (const id of [one, other, outsider])
    await pool.query('INSERT INTO member (gid, device_id, from_seq, join_epoch, acked) VALUES ($1, $2, 1, 0, 0)', [gid, id])
  await noteShownLeaf(pool, gid, one, 1)
  await noteShownLeaf(pool, gid, other, 2)
  await noteOutsider(pool, gid, outsider)
  await noteShownLeaf(pool, gid, one, 2)
  await noteShownLeaf(pool, gid, one, 7)
  await noteShownLeaf(pool, gid, outsider, 1)
  const leaves = async () => new Map((await draftMembers(pool, gid)).map(({ deviceId, leafIndex }) => [deviceId, leafIndex]))
  expect(await leaves()).toEqual(
    new Map<bigint, number | null>([
      [one, 1],
      [other, 2],
      [outsider, null],
    ]),
  )
  await noteShownLeaf(pool, gid, outsider, 3)
  expect((await leaves()).get(outsider)).toBe(3)
})
