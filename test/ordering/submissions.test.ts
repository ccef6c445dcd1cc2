import { describe, expect, test } from '@jest/globals'
import { randomBytes } from 'node:crypto'
import { appendMessages } from '../../src/delivery/append/append.repository.js'
import { deleteGroup } from '../../src/groups/repository/groups.repository.js'
import { freezeGroup } from '../../src/groups/reset/resets.repository.js'
import { submitCommit, submitProposal } from '../../src/groups/repository/submissions.repository.js'
import { extendChain, initialChain, KIND_OF_LETTER, type KindLetter } from '../../src/protocol/log-chain.js'
import { useTestDatabase } from '../support/database.js'
import { commitOf, messageOf, newGroup, sha256 } from './submission-fixture.js'

const database = useTestDatabase()

const [ALICE, BOB, CAROL] = [1n, 2n, 3n]
/** Alice's group with Bob added at seq 1: epoch 1. */
async function pair() {
  const group = await newGroup(database.pool, ALICE)
  const added = await submitCommit(
    database.pool,
    commitOf(group.gid, ALICE, 0n, {
      added: [{ deviceId: BOB, welcome: 0 }],
      welcomes: [{ bytes: randomBytes(50), expiresAt: new Date(Date.now() + 60_000) }],
    }),
  )
  expect(added).toMatchObject({ kind: 'accepted', seq: 1n, epoch: 1n })
  return group
}

describe('one Commit per epoch', () => {
  test('[I1] of twenty concurrent Commits for one epoch exactly one is accepted, the others are stale', async () => {
    const { gid } = await pair()
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, i) => submitCommit(database.pool, commitOf(gid, i % 2 ? ALICE : BOB, 1n))),
    )
    expect(results.filter((result) => result.kind === 'accepted')).toHaveLength(1)
    expect(results.filter((result) => result.kind === 'stale')).toHaveLength(19)
    const { rows } = await database.pool.query("SELECT FROM log WHERE gid = $1 AND epoch = 1 AND kind = 'c'", [gid])
    expect(rows).toHaveLength(1)
  })

  test('[I1] the index refuses a second Commit of an epoch even if the function were wrong', async () => {
    const { gid } = await pair()
    const forged = database.pool.query(
      `INSERT INTO log (gid, seq, kind, epoch, accepted_at, hash, chain, bytes) VALUES ($1, 99, 'c', 0, now(), $2, $2, $2)`,
      [gid, randomBytes(32)],
    )
    await expect(forged).rejects.toMatchObject({ code: '23505' })
  })

  test('a Commit for an epoch to come is ahead, and of another incarnation stale', async () => {
    const { gid } = await pair()
    expect((await submitCommit(database.pool, commitOf(gid, ALICE, 2n))).kind).toBe('ahead')
    expect((await submitCommit(database.pool, commitOf(gid, ALICE, 1n, { incarnation: 2 }))).kind).toBe('stale')
  })

  test('a Commit judged under another policy, or before a device asked to leave, is to be judged again', async () => {
    const { gid } = await pair()
    expect((await submitCommit(database.pool, commitOf(gid, ALICE, 1n, { policyVersion: 7n }))).kind).toBe('retry')
    const bytes = randomBytes(80)
    const leave = {
      gid,
      incarnation: 1,
      deviceId: BOB,
      mustBeMember: true,
      epoch: 1n,
      hash: sha256(bytes),
      bytes,
    }
    expect(
      await submitProposal(database.pool, {
        ...leave,
        pending: { deviceId: BOB, leafIndex: 1, reason: 'leave' },
      }),
    ).toMatchObject({ kind: 'accepted', seq: 2n })
    expect((await submitCommit(database.pool, commitOf(gid, ALICE, 1n))).kind).toBe('retry')
    const followup = randomBytes(80)
    const kept = commitOf(gid, ALICE, 1n, {
      followups: [{ deviceId: BOB, bytes: followup, hash: sha256(followup) }],
    })
    expect(await submitCommit(database.pool, kept)).toMatchObject({
      kind: 'accepted',
      seq: 3n,
    })
    const { rows } = await database.pool.query('SELECT kind, epoch FROM log WHERE gid = $1 AND seq = 4', [gid])
    expect(rows).toEqual([{ kind: 'p', epoch: 2n }])
  })
})

describe('idempotency', () => {
  test('[I5] an identical Commit gets its acceptance again when stale, when its sender is removed and when the group is frozen', async () => {
    const { gid } = await pair()
    const mine = commitOf(gid, BOB, 1n)
    const first = await submitCommit(database.pool, mine)
    expect(first).toMatchObject({ kind: 'accepted', seq: 2n, epoch: 2n })
    expect(await submitCommit(database.pool, mine)).toEqual({
      ...first,
      kind: 'duplicate',
    })
    await submitCommit(database.pool, commitOf(gid, ALICE, 2n, { removed: [{ deviceId: BOB, reason: 'removed' }] }))
    expect(await submitCommit(database.pool, mine)).toEqual({
      ...first,
      kind: 'duplicate',
    })
    await freezeGroup(database.pool, gid, null, 0)
    expect(await submitCommit(database.pool, mine)).toEqual({
      ...first,
      kind: 'duplicate',
    })
    expect((await submitCommit(database.pool, { ...mine, deviceId: CAROL })).kind).toBe('not-a-member')
  })

  test('[I5] the same message twice, in one batch and in two, is one entry', async () => {
    const { gid } = await pair()
    const item = messageOf(gid, BOB, 1n)
    const [first, second] = await appendMessages(database.pool, [item, item], 5)
    expect(first).toMatchObject({ kind: 'accepted', seq: 2n })
    expect(second).toEqual({ ...first, kind: 'duplicate' })
    expect(await appendMessages(database.pool, [item], 5)).toEqual([{ ...first, kind: 'duplicate' }])
  })

  test('identical bytes of a stranger in one batch do not shadow a member', async () => {
    const { gid } = await pair()
    const item = messageOf(gid, BOB, 1n)
    const results = await appendMessages(database.pool, [{ ...item, deviceId: CAROL }, item], 5)
    expect(results.map((result) => result.kind)).toEqual(['not-a-member', 'accepted'])
  })
})

describe('windows', () => {
  test('a message may be a few epochs late, but not from before a removal, nor from before its sender joined', async () => {
    const { gid } = await pair()
    for (let epoch = 1n; epoch < 5n; epoch++) await submitCommit(database.pool, commitOf(gid, ALICE, epoch))
    const kinds = async (device: bigint, ...epochs: bigint[]) =>
      (
        await appendMessages(
          database.pool,
          epochs.map((epoch) => messageOf(gid, device, epoch)),
          3,
        )
      ).map((result) => result.kind)
    expect(await kinds(ALICE, 1n, 2n, 5n, 6n)).toEqual(['stale', 'accepted', 'accepted', 'ahead'])
    await submitCommit(database.pool, commitOf(gid, ALICE, 5n, { added: [{ deviceId: CAROL, welcome: null }] }))
    expect(await kinds(CAROL, 5n, 6n)).toEqual(['stale', 'accepted'])
    await submitCommit(
      database.pool,
      commitOf(gid, ALICE, 6n, {
        removed: [{ deviceId: BOB, reason: 'removed' }],
      }),
    )
    expect(await kinds(ALICE, 6n, 7n)).toEqual(['stale', 'accepted'])
    expect(await kinds(BOB, 7n)).toEqual(['not-a-member'])
  })
})

describe('an append that waits behind an uncommitted Remove', () => {
  test('of the removed device is refused', async () => {
    const { gid } = await pair()
    const remover = await database.pool.connect()
    await remover.query('BEGIN')
    await submitCommit(
      remover,
      commitOf(gid, ALICE, 1n, {
        removed: [{ deviceId: BOB, reason: 'removed' }],
      }),
    )
    const waiting = appendMessages(database.pool, [messageOf(gid, BOB, 1n), messageOf(gid, ALICE, 1n)], 5)
    await untilBlocked()
    await remover.query('COMMIT')
    remover.release()
    expect((await waiting).map((result) => result.kind)).toEqual(['not-a-member', 'stale'])
  })

  test('of the removed device is accepted when the Remove is rolled back', async () => {
    const { gid } = await pair()
    const remover = await database.pool.connect()
    await remover.query('BEGIN')
    await submitCommit(
      remover,
      commitOf(gid, ALICE, 1n, {
        removed: [{ deviceId: BOB, reason: 'removed' }],
      }),
    )
    const waiting = appendMessages(database.pool, [messageOf(gid, BOB, 1n)], 5)
    await untilBlocked()
    await remover.query('ROLLBACK')
    remover.release()
    expect((await waiting).map((result) => result.kind)).toEqual(['accepted'])
  })

  /** Returns once a session of this database waits for a lock. */
  async function untilBlocked(): Promise<void> {
    for (;;) {
      const { rows } = await database.pool.query<{ n: number }>(
        `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      )
      if (rows[0]!.n > 0) return
    }
  }
})

describe('the log', () => {
  test('is gapless and chained as the pure function says, under concurrent appends and Commits over several groups', async () => {
    const groups = await Promise.all([pair(), pair(), pair()])
    const work: Promise<unknown>[] = []
    for (let round = 0; round < 40; round++) {
      const batch = groups.flatMap(({ gid }) => [messageOf(gid, ALICE, 1n), messageOf(gid, BOB, 1n)])
      work.push(appendMessages(database.pool, round % 2 ? batch : batch.reverse(), 50))
      work.push(submitCommit(database.pool, commitOf(groups[round % 3]!.gid, BOB, BigInt(1 + (round % 5)))))
    }
    await Promise.all(work)
    for (const { gid, groupId } of groups) {
      const { rows } = await database.pool.query('SELECT seq, kind, epoch, hash, chain, bytes FROM log WHERE gid = $1 ORDER BY seq', [gid])
      let chain = initialChain(groupId, 1)
      rows.forEach((row, index) => {
        expect(row.seq).toBe(BigInt(index + 1))
        expect(row.hash.equals(sha256(row.bytes))).toBe(true)
        chain = extendChain(chain, { ...row, kind: KIND_OF_LETTER[row.kind as KindLetter] })
        expect(Buffer.from(chain).equals(row.chain)).toBe(true)
      })
      const head = await database.pool.query('SELECT head_seq, head_chain FROM groups WHERE gid = $1', [gid])
      expect(head.rows[0].head_seq).toBe(BigInt(rows.length))
      expect(head.rows[0].head_chain.equals(chain)).toBe(true)
    }
  })

  test('is gone with its group, Welcomes and GroupInfo, and a tombstone answers', async () => {
    const { gid } = await pair()
    await appendMessages(database.pool, [messageOf(gid, ALICE, 1n)], 5)
    expect(await deleteGroup(database.pool, 'localhost', gid)).toEqual({
      kind: 'accepted',
      entries: 2n,
      devices: [ALICE, BOB],
    })
    for (const table of ['log', 'welcome', 'group_info', 'group_tree', 'group_snapshot', 'member', 'group_policy', 'group_admin']) {
      const { rows } = await database.pool.query(`SELECT count(*)::int AS n FROM ${table} WHERE gid = $1`, [gid])
      expect([table, rows[0].n]).toEqual([table, 0])
    }
    const { rows } = await database.pool.query('SELECT device_id, kind FROM inbox WHERE gid = $1 ORDER BY 1', [gid])
    expect(rows).toEqual([
      { device_id: ALICE, kind: 'group.deleted' },
      { device_id: BOB, kind: 'group.deleted' },
    ])
    expect(await deleteGroup(database.pool, 'localhost', gid)).toEqual({ kind: 'deleted' })
    expect(await submitCommit(database.pool, commitOf(gid, ALICE, 1n))).toEqual({ kind: 'deleted' })
    expect(await appendMessages(database.pool, [messageOf(gid, ALICE, 1n)], 5)).toEqual([{ kind: 'deleted' }])
  })
})
