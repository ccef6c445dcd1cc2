import { describe, expect, it } from '@jest/globals'
import { createApplicationMessage, encodeMlsMessage } from 'ts-mls'
import { openApplicationMessage } from '../../examples/client/mls/private-content.js'
import { suite as load } from '../../examples/client/mls/suites.js'
import { utf8 } from '../../examples/client/wire.js'
import { agreed, at, heard, joined, MODES_AND_SUITES, problemOf, removed, useWorld } from '../support/world.js'
import { privateMessage } from '../support/mls-messages.js'

describe.each(MODES_AND_SUITES)('membership in %s mode, suite %i', (mode, suite) => {
  const world = useWorld()

  it('shows a removed device the log up to the Commit that removes it, and takes nothing from it', async () => {
    const [alice, bob, carol] = await world.cast('alice', 'bob', 'carol')
    const group = await world.group(alice, [bob, carol], { mode, suite })
    await group.send('all three')
    await heard([carol], group, ['all three'])
    const stale = await applicationMessage(at(carol, group).record.state, suite)
    await at(bob, group).remove(carol.uri)
    await removed(carol, group.record.groupId)
    const after = await group.send('without carol')
    await heard([bob], group, ['all three', 'without carol'])

    const seen = (await at(carol, group).history(1)).entries.map((entry) => entry.seq)
    expect(seen.at(-1)).toBe(after.seq - 1)
    const refusal = await problemOf(at(carol, group).device.http.postMessage(`${group.path}/messages`, stale))
    expect([refusal.status, refusal.kind]).toEqual([403, 'not-a-member'])

    const leaked = (await at(bob, group).history(after.seq)).entries[0]!
    const { impl } = await load(suite)
    await expect(openApplicationMessage(at(carol, group).record.state, privateMessage(leaked.message), impl)).rejects.toThrow()
    expect(at(carol, group).texts).toEqual(['all three'])
  })

  it('opens a new interval to a device that is added again: nothing from in between', async () => {
    const [alice, bob] = await world.cast('alice', 'bob')
    const group = await world.group(alice, [bob], { mode, suite })
    await group.send('first time')
    await heard([bob], group, ['first time'])
    await group.remove(bob.uri)
    await removed(bob, group.record.groupId)
    const between = await group.send('while bob is out')
    await group.add(bob.user)
    await joined(bob, group.record.groupId)
    await group.send('second time')
    await heard([bob], group, ['second time'])
    await agreed([bob], group)

    const seen = (await at(bob, group).history(1)).entries.map((entry) => entry.seq)
    expect(seen).not.toContain(between.seq)
    expect(seen).toContain(between.seq - 1)
    expect(seen).toContain(between.seq + 2)
    expect(seen).not.toContain(between.seq + 1)
  })
})

async function applicationMessage(state: Parameters<typeof createApplicationMessage>[0], suite: number): Promise<Uint8Array> {
  const { privateMessage: made } = await createApplicationMessage(state, utf8('too late'), (await load(suite)).impl)
  return encodeMlsMessage({ version: 'mls10', wireformat: 'mls_private_message', privateMessage: made })
}
