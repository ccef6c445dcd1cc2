import type { Pool, QueryConfig } from 'pg'
import { Unavailable } from '../http/problem.js'
import { numberOf, type DescribedLimit } from '../limits/described-limit.js'
import { failureCodeOf, LOCK_NOT_AVAILABLE } from './failures.js'

/** Row of docs/limits.md. */
export const CHANGES_WAITING = {
  name: 'group-changes-waiting',
  holder: 'group',
  what: 'Commits, Proposals and other changes that wait in one process while a few of them wait for the group’s row in PostgreSQL',
  value: 100,
  refusal: '503 with Retry-After; the same for all that waited as long as one whose time for the lock is over',
} as const satisfies DescribedLimit

/** A statement that waits for a row which others may hold. */
export interface Statement extends QueryConfig {
  /** Names that row, the same for all statements that wait for it: see `queueByRow`. */
  readonly row?: string | undefined
}

interface Waiter {
  readonly ticket: number
  enter(): void
  refuse(error: unknown): void
}

interface Queue {
  running: number
  tickets: number
  readonly waiting: Waiter[]
}

/** SQLSTATE of statement_timeout, which comes first where an operator has set no lock_timeout. */
const QUERY_CANCELED = '57014'

/**
 * Work by the row that it waits for: a few pieces of each row are in work, the others wait in the order in which they came. When the time for
 * the lock is over for one, those that were waiting as long are refused with it: nobody waits longer than two such times.
 */
export class RowQueues {
  private readonly queues = new Map<string, Queue>()

  /** @param abreast pieces in work for one row. @param most that wait for their turn, of one row */
  constructor(
    private readonly abreast: number,
    private readonly most: number,
  ) {}

  /** @throws Unavailable if too many wait; what `work` throws, also of another piece that waited as long */
  async run<T>(row: string, work: () => Promise<T>): Promise<T> {
    const queue = this.queues.get(row) ?? this.open(row)
    if (queue.running < this.abreast) queue.running += 1
    else await this.turnIn(queue)
    const since = queue.tickets
    try {
      return await work()
    } catch (error) {
      if (isLocked(error)) refuseUpTo(queue, since, error)
      throw error
    } finally {
      this.leave(row, queue)
    }
  }

  private open(row: string): Queue {
    const queue: Queue = { running: 0, tickets: 0, waiting: [] }
    this.queues.set(row, queue)
    return queue
  }

  private turnIn(queue: Queue): Promise<void> {
    if (queue.waiting.length >= this.most) throw new TooManyWait()
    const turn = Promise.withResolvers<void>()
    queue.waiting.push({ ticket: queue.tickets++, enter: turn.resolve, refuse: turn.reject })
    return turn.promise
  }

  /** Whose turn it is takes the place of who leaves. */
  private leave(row: string, queue: Queue): void {
    const next = queue.waiting.shift()
    if (next) return next.enter()
    queue.running -= 1
    if (queue.running === 0) this.queues.delete(row)
  }
}

class TooManyWait extends Unavailable {
  override readonly limit = CHANGES_WAITING.name
}

function isLocked(error: unknown): boolean {
  const code = failureCodeOf(error)
  return code === LOCK_NOT_AVAILABLE || code === QUERY_CANCELED
}

function refuseUpTo({ waiting }: Queue, since: number, error: unknown): void {
  const stay = waiting.findIndex(({ ticket }) => ticket >= since)
  for (const waiter of waiting.splice(0, stay === -1 ? waiting.length : stay)) waiter.refuse(error)
}

const queuesOf = new WeakMap<Pool, RowQueues>()

/**
 * Each statement that waits for a lock holds a connection meanwhile. With this, statements that name a `row`, and transactions that do, hold
 * a quarter of the pool at most for each row, and four connections: however many wait for one group, others are served.
 */
export function queueByRow(pool: Pool): Pool {
  const abreast = Math.max(1, Math.min(4, Math.floor(pool.options.max / 4)))
  const queues = new RowQueues(abreast, numberOf(CHANGES_WAITING))
  queuesOf.set(pool, queues)
  const query = pool.query.bind(pool)
  const queued = (...args: unknown[]): unknown => {
    const run = (): Promise<unknown> => Reflect.apply(query, pool, args)
    const row = rowOf(args[0])
    return row === undefined ? run() : queues.run(row, run)
  }
  return Object.assign(pool, { query: queued })
}

/** `work` in the queue of `row`, if the pool has such queues. */
export function inQueueOf<T>(pool: Pool, row: string | undefined, work: () => Promise<T>): Promise<T> {
  const queues = queuesOf.get(pool)
  return queues && row !== undefined ? queues.run(row, work) : work()
}

function rowOf(query: unknown): string | undefined {
  return typeof query === 'object' && query !== null && 'row' in query && typeof query.row === 'string' ? query.row : undefined
}
