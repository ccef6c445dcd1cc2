import { describe, expect, it } from '@jest/globals'
import { TURN_MS, Turns } from './turns.js'

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('work in turns', () => {
  it('is done at once as long as the turn has room', () => {
    const turns = new Turns(2)
    const done: number[] = []
    for (const n of [1, 2, 3]) turns.enter('a', () => done.push(n))
    expect(done).toEqual([1, 2])
  })

  it('continues in the next turns, as many pieces in each', async () => {
    const turns = new Turns(2)
    const done: number[] = []
    for (const n of [1, 2, 3, 4, 5, 6]) turns.enter('a', () => done.push(n))
    const counts: number[] = []
    while (done.length < 6) {
      counts.push(done.length)
      await turn()
    }
    expect(counts).toEqual([2, 4])
    expect(done).toEqual([1, 2, 3, 4, 5, 6])
  })

  it('of a second caller waits for one piece of the first, not for all', async () => {
    const turns = new Turns(1)
    const done: string[] = []
    for (const n of [1, 2, 3, 4]) turns.enter('a', () => done.push(`a${n}`))
    turns.enter('b', () => done.push('b'))
    while (done.length < 5) await turn()
    expect(done).toEqual(['a1', 'a2', 'b', 'a3', 'a4'])
  })

  it('does not overtake what waits, though the turn has room', async () => {
    const turns = new Turns(2)
    const done: string[] = []
    for (const n of [1, 2, 3]) turns.enter('a', () => void (done.push(`a${n}`), n === 3 && turns.enter('a', () => done.push('within'))))
    while (done.length < 4) await turn()
    expect(done).toEqual(['a1', 'a2', 'a3', 'within'])
  })

  it('continues in the next turn after a few milliseconds, but does one piece in each', async () => {
    let clock = 0
    const turns = new Turns(100, () => clock)
    const done: number[] = []
    for (const ms of [TURN_MS / 2, TURN_MS / 2, 1, 2 * TURN_MS, 1]) {
      turns.enter('a', () => {
        clock += ms
        done.push(ms)
      })
    }
    const counts = [done.length]
    while (done.length < 5) {
      await turn()
      counts.push(done.length)
    }
    expect(counts).toEqual([2, 4, 5])
  })

  it('continues though a piece of it has failed', async () => {
    const turns = new Turns(1)
    const done: number[] = []
    expect(() =>
      turns.enter('a', () => {
        throw new Error('a piece failed')
      }),
    ).toThrow('a piece failed')
    turns.enter('a', () => done.push(1))
    await turn()
    expect(done).toEqual([1])
  })
})
