import { describe, expect, test } from '@jest/globals'
import { randomBytes } from 'node:crypto'
import { appendMessages } from '../../src/delivery/append/append.repository.js'
import { createGroup } from '../../src/groups/repository/groups.repository.js'
import { freezeGroup } from '../../src/groups/reset/resets.repository.js'
import { submitCommit, submitProposal } from '../../src/groups/repository/submissions.repository.js'
import { useTestDatabase } from '../support/database.js'
import { commitOf, messageOf, newGroup, newGroupOf, sha256 } from './submission-fixture.js'

const database = useTestDatabase()

const [ALICE, BOB, CAROL] = [1n, 2n, 3n]

/** Alice's group with Bob added at seq 1: epoch 1. */
async function pair() {
  const group = await newGroup(database.pool, ALICE)
  await submitCommit(database.pool, commitOf(group.gid, ALICE, 0n, { added: [{ deviceId: BOB, welcome: null }] }))
  return group
}

describe('a successor', () => {
  test('gives its creator no rights that the predecessor did not give, and the same answer twice', async () => {
    const group = await pair()
    await freezeGroup(database.pool, group.gid, null, 0)
    const request = { ...newGroupOf(BOB), successorOf: group.groupId }
    const made = await createGroup(database.pool, request)
    if (made.kind !== 'accepted') throw new Error(made.kind)
    const { rows } = await database.pool.query('SELECT user_id FROM group_admin WHERE gid = $1', [made.gid])
    expect(rows).toEqual([{ user_id: ALICE }])
    await appendMessages(database.pool, [messageOf(made.gid, BOB, 0n)], 5)
    expect(await createGroup(database.pool, request)).toEqual({ ...made, kind: 'duplicate' })
  })

  test('is one, no matter who races', async () => {
    const group = await pair()
    await freezeGroup(database.pool, group.gid, null, 0)
    const made = await Promise.all(
      [ALICE, BOB, ALICE, BOB].map((creator) => createGroup(database.pool, { ...newGroupOf(creator), successorOf: group.groupId })),
    )
    expect(made.filter(({ kind }) => kind === 'accepted')).toHaveLength(1)
    expect(made.filter(({ kind }) => kind === 'successor-taken')).toHaveLength(3)
  })
})

describe('a pending removal', () => {
  const propose = (gid: bigint, bytes: Buffer, reason: 'leave' | 'revoke') =>
    submitProposal(database.pool, {
      gid,
      incarnation: 1,
      deviceId: null,
      mustBeMember: false,
      epoch: 1n,
      hash: sha256(bytes),
      bytes,
      pending: { deviceId: BOB, leafIndex: 1, reason },
    })
  const pendingOf = async (gid: bigint) =>
    (await database.pool.query('SELECT reason, leaf_index FROM pending_removal WHERE gid = $1', [gid])).rows

  test('becomes a revocation also where the same bytes stand for a leave already', async () => {
    const { gid } = await pair()
    const bytes = randomBytes(80)
    await propose(gid, bytes, 'leave')
    expect((await propose(gid, bytes, 'revoke')).kind).toBe('duplicate')
    expect(await pendingOf(gid)).toEqual([{ reason: 'revoke', leaf_index: 1 }])
  })

  test('is disarmed by an accepted Commit only', async () => {
    const { gid } = await pair()
    await propose(gid, randomBytes(80), 'leave')
    expect((await submitCommit(database.pool, commitOf(gid, ALICE, 0n, { unsigned: [BOB] }))).kind).toBe('stale')
    expect(await pendingOf(gid)).toEqual([{ reason: 'leave', leaf_index: 1 }])
    expect((await submitCommit(database.pool, commitOf(gid, ALICE, 1n, { unsigned: [BOB] }))).kind).toBe('accepted')
    expect(await pendingOf(gid)).toEqual([{ reason: 'leave', leaf_index: null }])
  })
})

test("a stranger's proposal, where strangers may propose, is one entry however often it comes", async () => {
  const { gid } = await pair()
  const bytes = randomBytes(80)
  const request = { gid, incarnation: 1, deviceId: CAROL, mustBeMember: false, epoch: 1n, hash: sha256(bytes), bytes, pending: null }
  const first = await submitProposal(database.pool, request)
  expect(first.kind).toBe('accepted')
  expect(await submitProposal(database.pool, request)).toEqual({ ...first, kind: 'duplicate' })
})
