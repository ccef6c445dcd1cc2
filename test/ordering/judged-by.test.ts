import { describe, expect, test } from '@jest/globals'
import { randomBytes } from 'node:crypto'
import { submitCommit, submitProposal } from '../../src/groups/repository/submissions.repository.js'
import { useTestDatabase } from '../support/database.js'
import { eventually } from '../support/eventually.js'
import { commitOf, newGroup, sha256 } from './submission-fixture.js'

const database = useTestDatabase()
const ALICE = 1n

/** A Proposal that was judged by version 1 of the policy, next to nothing. */
function proposalOf(gid: bigint, judgedBy = { policyVersion: 1n, lastHandshake: 0n }) {
  const bytes = randomBytes(80)
  const from = { gid, incarnation: 1, deviceId: ALICE, mustBeMember: true, epoch: 0n }
  return { ...from, hash: sha256(bytes), bytes, pending: null, judgedBy }
}

/** What a submission comes to that arrives while a change of the policy is written and not yet committed. */
async function duringChange<Outcome>(gid: bigint, end: 'COMMIT' | 'ROLLBACK', submit: () => Promise<Outcome>): Promise<Outcome> {
  const client = await database.pool.connect()
  try {
    await client.query('BEGIN')
    await client.query('UPDATE group_policy SET version = version + 1 WHERE gid = $1', [gid])
    const outcome = submit()
    // Until it waits; one that does not wait is done.
    const blocked = async () => (await client.query('SELECT FROM pg_locks WHERE NOT granted')).rowCount === 1
    await Promise.race([outcome, eventually(blocked, (is) => is)])
    await client.query(end)
    return await outcome
  } finally {
    client.release(true)
  }
}

describe.each([
  ['Proposal', (gid: bigint) => submitProposal(database.pool, proposalOf(gid))],
  ['Commit', (gid: bigint) => submitCommit(database.pool, commitOf(gid, ALICE, 0n))],
] as const)('a %s that was judged by a policy that is changing', (_, submit) => {
  test('is to be judged again once the change is committed', async () => {
    const { gid } = await newGroup(database.pool, ALICE)
    expect((await duringChange(gid, 'COMMIT', () => submit(gid))).kind).toBe('retry')
  })

  test('is accepted if the change is taken back', async () => {
    const { gid } = await newGroup(database.pool, ALICE)
    expect((await duringChange(gid, 'ROLLBACK', () => submit(gid))).kind).toBe('accepted')
  })
})

test('of Proposals that were judged next to the same others one is accepted, the rest are to be judged again', async () => {
  const { gid } = await newGroup(database.pool, ALICE)
  const outcomes = await Promise.all(Array.from({ length: 10 }, () => submitProposal(database.pool, proposalOf(gid))))
  expect(outcomes.map(({ kind }) => kind).toSorted()).toEqual(['accepted', ...Array.from({ length: 9 }, () => 'retry')])
  const next = { policyVersion: 1n, lastHandshake: 1n }
  expect((await submitProposal(database.pool, proposalOf(gid, next))).kind).toBe('accepted')
  expect((await submitProposal(database.pool, proposalOf(gid, next))).kind).toBe('retry')
})
