import { describe, expect, it } from '@jest/globals'
import { submitCommit } from '../../src/groups/repository/submissions.repository.js'
import { transaction } from '../../src/platform/postgres/sql.js'
import { useTestDatabase } from '../support/database.js'
import { commitOf, newGroup } from './submission-fixture.js'

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
