import { describe, expect, it } from '@jest/globals'
import { appendMessages } from '../../src/delivery/append/append.repository.js'
import { submitCommit, submitProposal } from '../../src/groups/repository/submissions.repository.js'
import { transaction } from '../../src/platform/postgres/sql.js'
import { useTestDatabase } from '../support/database.js'
import { commitOf, messageOf, newGroup } from './submission-fixture.js'

const database = useTestDatabase()
const ALICE = 1n

type Sql = Parameters<Parameters<typeof transaction>[1]>[0]

/** What `recovered` gives out on a copy of this database, which then goes: the next copy knows nothing of it. */
async function onACopy(above: number | null = null): Promise<number> {
  let given = 0
  const undone = new Error('the copy goes')
  const work = async (sql: Sql): Promise<never> => {
    const { rows } = await sql.query<{ incarnation: number }>('SELECT incarnation FROM recovered(p_above => $1)', [above])
    given = rows[0]!.incarnation
    throw undone
  }
  await expect(transaction(database.pool, work)).rejects.toBe(undone)
  return given
}

describe('an incarnation', () => {
  it('is never given out twice, also where one backup is restored twice', async () => {
    await newGroup(database.pool, ALICE)
    const given = [await onACopy(), await onACopy(), await onACopy()]
    expect(given).toEqual([...new Set(given)].sort((a, b) => a - b))
    expect(given[0]).toBeGreaterThan(1)
  })

  it('is not made up by a clock that is behind the log, unless an operator names the last one', async () => {
    const { gid } = await newGroup(database.pool, ALICE)
    await submitCommit(database.pool, commitOf(gid, ALICE, 0n))
    await database.pool.query("UPDATE log SET accepted_at = now() + interval '1 hour' WHERE gid = $1", [gid])
    await expect(onACopy()).rejects.toThrow()
    expect(await onACopy(2_000_000_000)).toBe(2_000_000_001)
    await database.pool.query('UPDATE log SET accepted_at = now() WHERE gid = $1', [gid])
    await database.pool.query('UPDATE groups SET incarnation = 2000000000 WHERE gid = $1', [gid])
    await expect(onACopy()).rejects.toThrow()
    await database.pool.query('UPDATE groups SET incarnation = 1 WHERE gid = $1', [gid])
  })
})

describe('the statements that accept', () => {
  /** At epoch 3, restored at epoch 1 into incarnation 7: epochs 2 and 3 may have been used twice. */
  async function restored(): Promise<bigint> {
    const { gid } = await newGroup(database.pool, ALICE)
    await database.pool.query('UPDATE groups SET epoch = 3, incarnation = 7, reused_above = 1 WHERE gid = $1', [gid])
    return gid
  }

  it.each([
    ['another incarnation', 3n, 1, 'incarnation'],
    ['another one, in an epoch that was never used twice', 1n, 1, 'incarnation'],
    ['none, in an epoch that may have been used twice', 3n, 0, 'incarnation'],
    ['none, in an epoch that was never used twice', 1n, 0, 'accepted'],
    ['the present one', 3n, 7, 'accepted'],
  ])('judge what names %s', async (_what, epoch, madeIn, outcome) => {
    const gid = await restored()
    const [message] = await appendMessages(database.pool, [{ ...messageOf(gid, ALICE, epoch), madeIn }], 5)
    expect(message).toMatchObject(outcome === 'accepted' ? { kind: outcome } : { kind: outcome, incarnation: 7, currentEpoch: 3n })
    const handshake = outcome === 'accepted' && epoch < 3n ? 'stale' : outcome
    const { hash, bytes } = messageOf(gid, ALICE, epoch)
    const proposal = { gid, incarnation: 7, madeIn, deviceId: ALICE, mustBeMember: true, epoch, hash, bytes, pending: null }
    expect((await submitProposal(database.pool, proposal)).kind).toBe(handshake)
    expect((await submitCommit(database.pool, commitOf(gid, ALICE, epoch, { incarnation: 7, madeIn }))).kind).toBe(handshake)
  })

  it('are not asked about it by a release that knows of none', async () => {
    const gid = await restored()
    expect((await submitCommit(database.pool, commitOf(gid, ALICE, 3n, { incarnation: 7 }))).kind).toBe('accepted')
  })

  it('look for the same bytes before', async () => {
    const gid = await restored()
    const message = { ...messageOf(gid, ALICE, 3n), madeIn: 7 }
    await appendMessages(database.pool, [message], 5)
    expect(await appendMessages(database.pool, [{ ...message, madeIn: 1 }], 5)).toMatchObject([{ kind: 'duplicate', seq: 1n }])
  })
})
