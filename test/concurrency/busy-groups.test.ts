import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { PoolClient } from 'pg'
import { appendMessages, type AppendItem, type AppendOutcome } from '../../src/delivery/append/append.repository.js'
import { MicroBatcher, WAITING_LANES } from '../../src/delivery/append/appender.js'
import { useTestDatabase } from '../support/database.js'
import { messageOf, newGroup } from '../ordering/submission-fixture.js'

const database = useTestDatabase()
const ALICE = 1n

/** Holds the rows of groups, as a long deletion or a Commit does, until `release`. */
async function hold(client: PoolClient, gids: readonly bigint[]): Promise<() => Promise<unknown>> {
  await client.query('BEGIN')
  await client.query('SELECT FROM groups WHERE gid = ANY ($1) FOR UPDATE', [gids])
  return () => client.query('ROLLBACK')
}

const groups = async (count: number) => {
  const made: bigint[] = []
  while (made.length < count) made.push((await newGroup(database.pool, ALICE)).gid)
  return made
}

/** The appender's, with a count of the calls that wait for locks at once. */
function batcher() {
  const seen = { waiting: 0, most: 0 }
  const write = async (items: readonly AppendItem[], waitMs: number): Promise<AppendOutcome[]> => {
    if (waitMs === 0) return appendMessages(database.pool, items, 5, 0)
    seen.most = Math.max(seen.most, (seen.waiting += 1))
    return appendMessages(database.pool, items, 5, waitMs).finally(() => (seen.waiting -= 1))
  }
  const made = new MicroBatcher(write, () => undefined)
  return { seen, append: (gid: bigint) => made.append(messageOf(gid, ALICE, 0n)) }
}

describe('groups whose rows another transaction holds', () => {
  let holder: PoolClient
  beforeAll(async () => void (holder = await database.pool.connect()))
  afterAll(() => holder.release())

  it('delay no other group: its messages are answered while the rows are held, also those of the same batch', async () => {
    const [bystander, ...held] = await groups(5)
    const { append, seen } = batcher()
    const release = await hold(holder, held)
    const order: string[] = []
    const locked = Array.from({ length: 60 }, (_, index) => append(held[index % held.length]!).then(() => order.push('locked')))
    for (let round = 0; round < 20; round++) {
      expect((await append(bystander!)).kind).toBe('accepted')
      order.push('bystander')
    }
    expect(order).toEqual(Array(20).fill('bystander'))
    await release()
    await Promise.all(locked)
    expect(seen.most).toBeLessThanOrEqual(WAITING_LANES)
  })

  it('get their own messages in order once they are free', async () => {
    const [gid] = await groups(1)
    const { append } = batcher()
    const release = await hold(holder, [gid!])
    const sent = Array.from({ length: 10 }, () => append(gid!))
    await release()
    const outcomes = await Promise.all(sent)
    expect(outcomes.map((outcome) => 'seq' in outcome && outcome.seq)).toEqual(sent.map((_, index) => BigInt(index + 1)))
  })

  it('refuse their messages when they stay locked, one batch at a time', async () => {
    const [gid] = await groups(1)
    const { append } = batcher()
    const release = await hold(holder, [gid!])
    await expect(append(gid!)).rejects.toMatchObject({ code: '55P03' })
    await release()
    expect((await append(gid!)).kind).toBe('accepted')
  })
})
