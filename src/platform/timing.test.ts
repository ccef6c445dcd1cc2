import { describe, expect, it } from '@jest/globals'
import { MessageChannel } from 'node:worker_threads'
import { succeedsWithin, within } from './timing.js'

const never = new Promise<never>(() => undefined)

describe('a time limit', () => {
  it('gives the result or the error of work that ends in time', async () => {
    await expect(within(60_000, Promise.resolve(7))).resolves.toBe(7)
    await expect(within(60_000, Promise.reject(new Error('broken')))).rejects.toThrow('broken')
    await expect(succeedsWithin(60_000, Promise.resolve())).resolves.toBe(true)
    await expect(succeedsWithin(60_000, Promise.reject(new Error('broken')))).resolves.toBe(false)
  })

  it('ends the wait for work that does not, with the code and the message for it', async () => {
    await expect(within(1, never)).rejects.toMatchObject({ code: 'ETIMEDOUT', message: 'No answer' })
    await expect(within(1, never, 'Still not ended')).rejects.toThrow('Still not ended')
    await expect(succeedsWithin(1, never)).resolves.toBe(false)
  })

  it('still takes what has arrived while the process was busy past the limit', async () => {
    const { port1, port2 } = new MessageChannel()
    const arrived = new Promise<string>((resolve) => port1.once('message', resolve))
    const result = within(1, arrived)
    // After immediates, the event loop looks at its timers before it reads.
    setImmediate(() => {
      port2.postMessage('here')
      for (const end = performance.now() + 20; performance.now() < end;);
    })
    await expect(result).resolves.toBe('here')
    port1.close()
  })

  it('hears no later failure of work that was given up', async () => {
    const work = Promise.withResolvers<void>()
    await expect(succeedsWithin(1, work.promise)).resolves.toBe(false)
    work.reject(new Error('late')) // an unhandled rejection would end the process of the tests
    await new Promise((resolve) => setImmediate(resolve))
  })
})
