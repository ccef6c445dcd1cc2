import { describe, expect, it } from '@jest/globals'
import { FairQueue, QueueFull } from './fair-queue.js'

/** Pieces that a test ends by name. */
function bench(limits = { atOnce: 1, perHolder: 100, waiting: 1_000 }) {
  const queue = new FairQueue(limits)
  const begun: string[] = []
  const ends = new Map<string, () => void>()
  const bring = (holder: string, name: string) =>
    queue.run(holder, () => {
      begun.push(name)
      return new Promise<void>((resolve) => void ends.set(name, resolve))
    })
  const end = async (name: string) => {
    ends.get(name)?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { queue, begun, bring, end }
}
const settled = () => new Promise((resolve) => setImmediate(resolve))
const all = (running: Promise<unknown>[]) => running.forEach((one) => void one.catch(() => undefined))

describe('a fair queue', () => {
  it('lets a holder with one piece wait for one piece of a holder with a hundred', async () => {
    const { begun, bring, end } = bench()
    all(Array.from({ length: 100 }, (_, at) => bring('many', `m${at}`)))
    all([bring('one', 'o0'), bring('other', 't0')])
    await settled()
    await end('m0')
    await end('o0')
    await end('t0')
    expect(begun).toEqual(['m0', 'o0', 't0', 'm1'])
  })

  it('has one piece of a holder in work, though more could be, and as many as are allowed of all', async () => {
    const { begun, bring, end } = bench({ atOnce: 2, perHolder: 10, waiting: 10 })
    all([bring('a', 'a0'), bring('a', 'a1'), bring('b', 'b0'), bring('c', 'c0')])
    await settled()
    expect(begun).toEqual(['a0', 'b0'])
    await end('b0')
    expect(begun).toEqual(['a0', 'b0', 'c0'])
    await end('c0')
    expect(begun).toHaveLength(3)
    await end('a0')
    expect(begun.at(-1)).toBe('a1')
  })

  it('refuses what is too much of one, or of all', async () => {
    const { queue, bring } = bench({ atOnce: 1, perHolder: 2, waiting: 3 })
    all([bring('a', 'a0'), bring('a', 'a1'), bring('a', 'a2')])
    await expect(bring('a', 'a3')).rejects.toMatchObject({ of: 'holder' })
    all([bring('b', 'b0')])
    await expect(bring('b', 'b1')).rejects.toBeInstanceOf(QueueFull)
    expect(queue.waiting).toBe(3)
  })

  it('cannot be filled by a few against all others: the longest line gives up its last piece', async () => {
    const { queue, begun, bring, end } = bench({ atOnce: 1, perHolder: 3, waiting: 6 })
    all([bring('a', 'a0')])
    await settled()
    const waiting = ['a1', 'a2', 'a3', 'b1', 'b2', 'b3'].map((name) =>
      bring(name.slice(0, 1), name).then(String, (error: QueueFull) => error.of),
    )
    all([bring('c', 'c1'), bring('d', 'd1')])
    expect(await Promise.all([waiting[2], waiting[5]])).toEqual(['all', 'all'])
    // All lines are of the same length now: a further holder is refused.
    all([bring('e', 'e1'), bring('f', 'f1')])
    await expect(bring('g', 'g1')).rejects.toMatchObject({ of: 'all' })
    expect(queue.waiting).toBe(6)
    for (const name of ['a0', 'b1', 'c1', 'd1', 'e1', 'f1', 'a1']) await end(name)
    expect(begun).toEqual(['a0', 'b1', 'c1', 'd1', 'e1', 'f1', 'a1'])
  })

  it('continues after work that fails, and gives it to who brought it', async () => {
    const queue = new FairQueue({ atOnce: 1, perHolder: 3, waiting: 3 })
    const failing = queue.run('a', () => Promise.reject(new Error('no')))
    const throwing = queue.run('a', () => {
      throw new Error('at once')
    })
    const next = queue.run('a', () => Promise.resolve('yes'))
    await expect(failing).rejects.toThrow('no')
    await expect(throwing).rejects.toThrow('at once')
    expect(await next).toBe('yes')
  })
})
