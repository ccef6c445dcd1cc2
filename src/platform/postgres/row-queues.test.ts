import { afterAll, describe, expect, test } from '@jest/globals'
import { useTestDatabase } from '../../../test/support/database.js'
import { queueByRow, RowQueues } from './row-queues.js'
import { createPool, transaction } from './sql.js'

const locked = Object.assign(new Error('canceling statement due to lock timeout'), { code: '55P03' })

/** Pieces of work of one row that a test ends one by one, and what became of them, in order. */
function workbench(abreast: number, most: number) {
  const queues = new RowQueues(abreast, most)
  const begun: string[] = []
  const ended: string[] = []
  const ends = new Map<string, PromiseWithResolvers<void>>()
  const start = (name: string, row = 'group 1') =>
    queues
      .run(row, () => {
        begun.push(name)
        const end = Promise.withResolvers<void>()
        ends.set(name, end)
        return end.promise
      })
      .then(
        () => ended.push(name),
        (error: Error) => ended.push(`${name}: ${error.message}`),
      )
  return {
    begun,
    ended,
    start,
    end: (name: string) => ends.get(name)!.resolve(),
    fail: (name: string, error: Error) => ends.get(name)!.reject(error),
  }
}
const settled = () => new Promise((resolve) => setImmediate(resolve))

describe('work that waits for one row', () => {
  test('is done a few pieces at a time, in the order in which it came', async () => {
    const { begun, ended, start, end } = workbench(2, 10)
    for (const name of ['a', 'b', 'c', 'd']) void start(name)
    await settled()
    expect(begun).toEqual(['a', 'b'])
    end('b')
    await settled()
    expect(begun).toEqual(['a', 'b', 'c'])
    end('a')
    end('c')
    await settled()
    end('d')
    await settled()
    expect(ended).toEqual(['b', 'a', 'c', 'd'])
  })

  test('keeps no work of another row waiting', async () => {
    const { begun, start } = workbench(1, 10)
    for (const name of ['a', 'b']) void start(name)
    void start('other', 'group 2')
    await settled()
    expect(begun).toEqual(['a', 'other'])
  })

  test('is refused where too much waits already, and only there', async () => {
    const { begun, ended, start, end } = workbench(1, 2)
    for (const name of ['a', 'b', 'c', 'd']) void start(name)
    await settled()
    expect(ended).toEqual(['d: unavailable: Not available right now.'])
    end('a')
    await settled()
    void start('e')
    await settled()
    expect([begun, ended.length]).toEqual([['a', 'b'], 2])
  })

  test('is refused with a piece whose time for the lock is over, if it waited since before that piece began', async () => {
    const { begun, ended, start, end, fail } = workbench(1, 10)
    void start('a')
    for (const name of ['b', 'c']) void start(name)
    await settled()
    fail('a', locked) // b and c came while a was waiting for the lock
    await settled()
    expect([begun, ended]).toEqual([['a', 'b'], [`a: ${locked.message}`]])
    void start('d')
    await settled()
    fail('b', locked) // c was there when b began
    await settled()
    expect([begun, ended.slice(1)]).toEqual([
      ['a', 'b', 'd'],
      [`b: ${locked.message}`, `c: ${locked.message}`],
    ])
    end('d')
    await settled()
    expect(ended.at(-1)).toBe('d')
  })

  test('goes on where a piece fails for another reason', async () => {
    const { ended, start, end, fail } = workbench(1, 10)
    for (const name of ['a', 'b', 'c']) void start(name)
    await settled()
    fail('a', new Error('deadlock'))
    await settled()
    fail('b', new Error('no'))
    await settled()
    end('c')
    await settled()
    expect(ended).toEqual(['a: deadlock', 'b: no', 'c'])
  })
})

describe('a pool with queues', () => {
  const database = useTestDatabase()
  const pools: ReturnType<typeof createPool>[] = []
  afterAll(() => Promise.all(pools.map((pool) => pool.end())))

  test('gives statements and transactions of one row a quarter of its connections, and others the rest', async () => {
    const pool = queueByRow(createPool(database.url, { max: 8, prepare: true }))
    pools.push(pool)
    const holder = await database.pool.connect()
    await holder.query('SELECT pg_advisory_lock(7)')
    const wait = { text: 'SELECT pg_advisory_xact_lock_shared(7)', row: 'group 7' }
    const waiting = Array.from({ length: 10 }, (_, index) =>
      index % 2 === 0 ? pool.query(wait) : transaction(pool, (sql) => sql.query(wait.text), { row: wait.row }),
    )
    await Promise.all(Array.from({ length: 20 }, () => pool.query('SELECT 1')))
    expect(pool.totalCount - pool.idleCount).toBe(2)
    await holder.query('SELECT pg_advisory_unlock(7)')
    holder.release()
    await expect(Promise.all(waiting)).resolves.toHaveLength(10)
  })
})
