import { describe, expect, it, jest } from '@jest/globals'
import fc from 'fast-check'
import { NodeBudget } from './node-budget.js'

const turn = () => new Promise((resolve) => void setImmediate(resolve))

describe("the node's budget", () => {
  it('counts a shared frame once, however many sockets wait for it', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(4), { minLength: 1, maxLength: 50 }), (holds) => {
        let bytes = 0
        const budget = new NodeBudget(1_000, (held) => (bytes = held))
        const frames = Array.from({ length: 5 }, (_, index) => new Uint8Array(10 + index))
        for (const at of holds) budget.hold(frames[at]!)
        expect(bytes).toBe([...new Set(holds)].reduce((sum, at) => sum + 10 + at, 0))
        for (const at of holds) budget.release(frames[at]!)
        expect(bytes).toBe(0)
      }),
    )
  })

  it('wakes who waits for room, once, and only when there is some', async () => {
    const budget = new NodeBudget(100)
    const [large, small] = [new Uint8Array(95), new Uint8Array(10)]
    budget.hold(large)
    budget.hold(small)
    const woken = jest.fn()
    budget.whenRoom(woken)
    expect(budget.full).toBe(true)
    budget.release(small)
    await turn()
    expect(woken).not.toHaveBeenCalled() // 95 of 100 is no room to speak of
    budget.release(large)
    budget.hold(large)
    budget.release(large)
    await turn()
    expect(woken).toHaveBeenCalledTimes(1)
  })
})
