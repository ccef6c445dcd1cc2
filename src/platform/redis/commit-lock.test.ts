import { beforeEach, describe, expect, it } from '@jest/globals'
import { redisSettings } from '../../../test/support/redis.js'
import { Metrics } from '../observability/metrics.js'
import { CommitLock, type LockTimer } from './commit-lock.js'
import { RedisClients } from './redis-clients.js'

/** A clock that moves when told. */
class ManualTimer implements LockTimer {
  private time = 0
  private sleepers: { at: number; wake: () => void }[] = []
  now() {
    return this.time
  }
  sleep(ms: number) {
    return new Promise<void>((wake) => void this.sleepers.push({ at: this.time + ms, wake }))
  }
  async pass(ms: number) {
    this.time += ms
    for (const sleeper of this.sleepers.filter(({ at }) => at <= this.time)) sleeper.wake()
    this.sleepers = this.sleepers.filter(({ at }) => at > this.time)
    await settle()
  }
}

const settle = () => new Promise((resolve) => setImmediate(resolve))

describe('the commit lock of one process', () => {
  let timer: ManualTimer
  let lock: CommitLock
  let metrics: Metrics
  let trace: string[]

  beforeEach(() => {
    timer = new ManualTimer()
    metrics = new Metrics()
    lock = new CommitLock(new RedisClients(redisSettings()), metrics)
    lock.timer = timer
    trace = []
  })

  function hold(key: string, name: string) {
    const { promise, resolve } = Promise.withResolvers<void>()
    const done = lock.withLock(key, async () => {
      trace.push(`${name} in`)
      await promise
      trace.push(`${name} out`)
    })
    return { release: resolve, done }
  }
  const misses = async () => (await metrics.commitLockMisses.get()).values.reduce((sum, { value }) => sum + value, 0)

  it('lets one in at a time, in order of arrival', async () => {
    const holders = ['a', 'b', 'c'].map((name) => hold('g', name))
    for (const holder of holders) {
      await settle()
      holder.release()
      await holder.done
    }
    expect(trace).toEqual(['a in', 'a out', 'b in', 'b out', 'c in', 'c out'])
    expect(await misses()).toBe(0)
  })

  it('does not make different groups wait for each other', async () => {
    const [a, b] = [hold('g', 'a'), hold('h', 'b')]
    await settle()
    expect(trace).toEqual(['a in', 'b in'])
    a.release()
    b.release()
  })

  it('is a courtesy: after 250 ms a waiter continues without, and a metric says so', async () => {
    const a = hold('g', 'a')
    const b = hold('g', 'b')
    await settle()
    await timer.pass(249)
    expect(trace).toEqual(['a in'])
    await timer.pass(1)
    expect(trace).toEqual(['a in', 'b in'])
    expect(await misses()).toBe(1)
    b.release()
    await b.done
    // b never held it: c still waits for a
    const c = hold('g', 'c')
    await settle()
    expect(trace).toEqual(['a in', 'b in', 'b out'])
    a.release()
    await a.done
    c.release()
    await c.done
    expect(trace.at(-1)).toBe('c out')
  })

  it('is free again after work that fails', async () => {
    await expect(lock.withLock('g', () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    await expect(lock.withLock('g', () => Promise.resolve(1))).resolves.toBe(1)
  })
})
