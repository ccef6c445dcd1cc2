import { describe, expect, it } from '@jest/globals'
import { Gate } from './stream-resources.js'

describe('the gate', () => {
  it('lets a fixed number through at once, the others in their order, and continues after a failure', async () => {
    let running = 0
    let most = 0
    const order: number[] = []
    const gate = new Gate(3)
    const work = Array.from({ length: 12 }, (_, index) =>
      gate.run(async () => {
        order.push(index)
        most = Math.max(most, ++running)
        await new Promise((resolve) => setImmediate(resolve))
        running -= 1
        if (index % 4 === 0) throw new Error('failed')
      }),
    )
    const outcomes = await Promise.allSettled(work)
    expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(3)
    expect(most).toBe(3)
    expect(order).toEqual(Array.from({ length: 12 }, (_, index) => index))
  })
})
