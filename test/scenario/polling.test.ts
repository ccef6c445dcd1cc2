import { describe, expect, it, jest } from '@jest/globals'
import { Client } from '../../examples/client/client.js'
import type { Group } from '../../examples/client/group.js'
import { agreed, at, joined, MODES_AND_SUITES, useWorld } from '../support/world.js'

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

  it('commits before its Welcome is acknowledged and misses nothing that was sent in between', async () => {
    const [alice, bob] = await world.cast('alice', 'bob')
    await bob.disconnect()
    const group = await world.group(alice, [], { mode, suite })
    await group.add(bob.user)
    // The device has joined and means to acknowledge, and the network holds that up.
    const { http } = bob.device
    const post = http.post.bind(http)
    let arrive = () => {}
    const held = new Promise<void>((resolve) => (arrive = resolve))
    jest.spyOn(http, 'post').mockImplementation(async (path: string, body?: unknown) => {
      if (path === '/v1/events/acks') await held
      return post(path, body)
    })
    const polling = bob.poll()
    await joined(bob, group.record.groupId)
    await group.send('in between')
    const emptyPage = emptyPageOf(at(bob, group))
    const update = at(bob, group).update()
    await emptyPage
    arrive()
    await Promise.all([polling, update])
    expect(at(bob, group).texts).toEqual(['in between'])
    await agreed([alice], at(bob, group))
  })

  it('is answered by a long poll once there is something', async () => {
    const [alice, bob] = await world.cast('alice', 'bob')
    await bob.disconnect()
    const group = await world.group(alice, [], { mode, suite })
    // Without news it would be answered empty, after a minute.
    const waiting = bob.poll(60)
    await group.add(bob.user)
    expect(await waiting).toBeGreaterThan(0)
  })
})

/** Resolves when a device has been shown a page of the log with nothing in it. */
function emptyPageOf({ device }: Group): Promise<void> {
  const get = device.http.get.bind(device.http)
  return new Promise((resolve) => {
    jest.spyOn(device.http, 'get').mockImplementation(async (path, headers) => {
      const answer = await get<unknown>(path, headers)
      if (path.includes('/log?') && (answer as { entries: unknown[] }).entries.length === 0) resolve()
      return answer
    })
  })
}

/** Polls as a simple client would; a short long poll replaces waiting. */
async function pollUntil(client: Client, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 30_000
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`${client.uri} polled in vain`)
    await client.poll(1)
  }
}
