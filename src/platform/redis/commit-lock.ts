import { randomUUID } from 'node:crypto'
import { Injectable } from '@nestjs/common'
import { Metrics } from '../observability/metrics.js'
import { RedisClients } from './redis-clients.js'
import type { RedisClient } from './connect-redis.js'
import { sleep } from '../timing.js'

/** How the lock sees time; tests bring their own. */
export interface LockTimer {
  now(): number
  sleep(ms: number): Promise<void>
}
export const MONOTONIC: LockTimer = {
  now: () => performance.now(),
  sleep: (ms) => sleep(ms),
}

const TIMEOUT_MS = 250
const LEASE_MS = 2_000
const RETRY_MS = 10

/**
 * A courtesy that spares contenders wasted validation: a Commit that does not get it within 250 ms continues without.
 * It fences nothing; the epoch in PostgreSQL does. Waiters of one process queue here, one of them asks Redis.
 */
@Injectable()
export class CommitLock {
  /** Replaced by tests that must not wait. */
  timer: LockTimer = MONOTONIC
  private readonly local = new LocalLocks()

  constructor(
    private readonly redis: RedisClients,
    private readonly metrics: Metrics,
  ) {}

  async withLock<T>(key: string, work: () => Promise<T>): Promise<T> {
    const deadline = this.timer.now() + TIMEOUT_MS
    const releaseLocal = await this.local.acquire(key, this.timer.sleep(TIMEOUT_MS))
    if (!releaseLocal) this.metrics.commitLockMisses.inc({ reason: 'busy' })
    try {
      return await this.withLease(key, releaseLocal ? deadline : 0, work)
    } finally {
      releaseLocal?.()
    }
  }

  private async withLease<T>(key: string, deadline: number, work: () => Promise<T>): Promise<T> {
    const client = this.redis.publisher
    if (!client || deadline === 0) return work()
    const token = randomUUID()
    const lease = `${this.redis.namespace}:lock:${key}`
    const held = await this.tryLease(lease, token, deadline)
    try {
      return await work()
    } finally {
      // Not awaited: the answer must not wait for a courtesy, and the lease ends by itself.
      if (held) releaseLease(client, lease, token).catch(() => undefined)
    }
  }

  private async tryLease(lease: string, token: string, deadline: number): Promise<boolean> {
    const client = this.redis.publisher
    while (client) {
      const remaining = deadline - this.timer.now()
      if (remaining <= 0) break
      const outcome = await Promise.race([
        acquireLease(client, lease, token, LEASE_MS).catch(() => 'gone' as const),
        this.timer.sleep(remaining).then(() => 'late' as const),
      ])
      if (outcome === 'got') return true
      if (outcome === 'gone') return this.miss('redis')
      if (outcome === 'busy') await this.timer.sleep(Math.min(RETRY_MS, remaining))
    }
    return this.miss('busy')
  }

  private miss(reason: 'busy' | 'redis'): false {
    this.metrics.commitLockMisses.inc({ reason })
    return false
  }
}

/**
 * Deletes the lease if it is still ours; after it ran out it may be another node's.
 * KEYS[1] the lease, ARGV[1] the token under which it was taken.
 */
const RELEASE = `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0`

/** @param token says whose it is; random. @param leaseMs after which it ends by itself. @throws if Redis does not take the command */
export async function acquireLease(redis: RedisClient, key: string, token: string, leaseMs: number): Promise<'got' | 'busy'> {
  return (await redis.set(key, token, 'PX', leaseMs, 'NX')) === 'OK' ? 'got' : 'busy'
}

/** @param token of `acquireLease`; another one changes nothing */
export async function releaseLease(redis: RedisClient, key: string, token: string): Promise<void> {
  await redis.eval(RELEASE, 1, key, token)
}

/** Mutexes by key within one process, first come first served; callers stop waiting after a timeout. */
export class LocalLocks {
  private readonly queues = new Map<string, (() => void)[]>()

  /**
   * @param timeout when it resolves first, the caller leaves the queue
   * @returns the release, or undefined if the timeout came first
   */
  async acquire(key: string, timeout: Promise<void>): Promise<(() => void) | undefined> {
    const queue = this.queues.get(key)
    if (!queue) {
      this.queues.set(key, [])
      return this.releaser(key)
    }
    const turn = Promise.withResolvers<boolean>()
    const enter = () => turn.resolve(true)
    queue.push(enter)
    void timeout.then(() => {
      const at = queue.indexOf(enter)
      if (at === -1) return
      queue.splice(at, 1)
      turn.resolve(false)
    })
    return (await turn.promise) ? this.releaser(key) : undefined
  }

  private releaser(key: string): () => void {
    let released = false
    return () => {
      if (released) return
      released = true
      const next = this.queues.get(key)?.shift()
      if (next) next()
      else this.queues.delete(key)
    }
  }
}
