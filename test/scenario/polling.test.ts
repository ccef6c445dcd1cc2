import { describe, expect, it } from '@jest/globals'
import { Client } from '../../examples/client/client.js'
import { agreed, at, MODES_AND_SUITES, useWorld } from '../support/world.js'

describe.each(MODES_AND_SUITES)('a client without a stream in %s mode, suite %i', (mode, suite) => {
  const world = useWorld()

  it('gets the same events by polling: Welcome first, then the log, each once', async () => {
    const [alice, bob] = await world.cast('alice', 'bob')
    await bob.disconnect()
    const group = await world.group(alice, [], { mode, suite })
    await group.add(bob.user)
    await group.send('one')
    await group.send('two')
    await pollUntil(bob, () => bob.groups.size === 1 && at(bob, group).texts.length === 2)
    expect(at(bob, group).texts).toEqual(['one', 'two'])
    await agreed([bob], group)
    expect(await bob.poll()).toBe(0)
    await at(bob, group).send('answer')
    await alice.until('the answer', () => group.texts.includes('answer'))
  })

  it('is answered by a long poll as soon as there is something', async () => {
    const [alice, bob] = await world.cast('alice', 'bob')
    await bob.disconnect()
    const group = await world.group(alice, [], { mode, suite })
    const waiting = bob.poll(20)
    const begun = performance.now()
    await group.add(bob.user)
    expect(await waiting).toBeGreaterThan(0)
    expect(performance.now() - begun).toBeLessThan(19_000)
  })
})

/** Polls as a simple client would; a short long poll stands in for waiting. */
async function pollUntil(client: Client, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 30_000
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`${client.uri} polled in vain`)
    await client.poll(1)
  }
}
