import { describe, expect, it } from '@jest/globals'
import type { Config } from '../config/config.js'
import { deleteInBatches, purgeJob } from './purge.js'

describe('a purge job', () => {
  /** What `purgeJob` registers, and in which order its deletions run. */
  function registered(needed: ((config: Config) => boolean) | undefined) {
    const jobs: { name: string; ms: number }[] = []
    const order: string[] = []
    const provider = purgeJob({
      name: 'test.purge_v1',
      everyMs: 60_000,
      deletions: [async () => order.push('first'), async () => order.push('second')],
      ...(needed && { needed }),
    })
    const run = provider.useFactory(
      { every: (name: string, ms: number) => jobs.push({ name, ms }) },
      {},
      { FEDERATION: 'off' },
    ) as () => Promise<void>
    return { jobs, order, run }
  }

  it('is registered once, and runs its deletions one after another', async () => {
    const { jobs, order, run } = registered(undefined)
    expect(jobs).toEqual([{ name: 'test.purge_v1', ms: 60_000 }])
    await run()
    expect(order).toEqual(['first', 'second'])
  })

  it('is not registered where the settings make it needless', () => {
    expect(registered(({ FEDERATION }) => FEDERATION !== 'off').jobs).toEqual([])
    expect(registered(({ FEDERATION }) => FEDERATION === 'off').jobs).toHaveLength(1)
  })
})

it('batches continue until one finds less than it may delete', async () => {
  const found = [10, 10, 3, 99]
  expect(await deleteInBatches(10, async () => found.shift() ?? 0)).toBe(23)
  expect(found).toEqual([99])
  expect(await deleteInBatches(10, async () => 0)).toBe(0)
})
