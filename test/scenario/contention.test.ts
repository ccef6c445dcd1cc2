import { describe, expect, it } from '@jest/globals'
import { buildCommit } from '../../examples/client/commits.js'
import type { Entry } from '../../examples/client/entries.js'
import { mergePending } from '../../examples/client/entries.js'
import { suite as load } from '../../examples/client/mls/suites.js'
import { toHex } from '../../examples/client/wire.js'
import type { Accepted } from '../../examples/client/group.js'
import { agreed, at, heard, MODES_AND_SUITES, problemOf, useWorld } from '../support/world.js'

describe.each(MODES_AND_SUITES)('two Commits for one epoch in %s mode, suite %i', (mode, suite) => {
  const world = useWorld()

  it('[I5] one wins; the loser gets 409 with the Commit it missed, processes it, and wins the next epoch', async () => {
    const [alice, bob] = await world.cast('alice', 'bob')
    const group = await world.group(alice, [bob], { mode, suite })
    const own = at(bob, group)
    await bob.disconnect()
    const { impl } = await load(suite)
    const lost = await buildCommit(own.record, [], impl)
    await group.update()

    const refusal = await problemOf(bob.device.http.post(`${group.path}/commits`, lost.bundle))
    expect([refusal.status, refusal.kind, refusal.document['current_epoch']]).toEqual([409, 'stale-epoch', 2])
    const missed = refusal.document['entries'] as Entry[]
    expect(missed.map((entry) => [entry.kind, entry.epoch])).toEqual([['commit', 1]])
    await own.receive(missed)
    expect(own.epochAuthenticator).toBe(group.epochAuthenticator)
    await own.update()
    await alice.until('epoch 3', () => group.epoch === 3)
    await agreed([bob], group)
  })

  it('an identical resubmission gets the original acceptance, also when the epoch has moved on', async () => {
    const [alice, bob] = await world.cast('alice', 'bob')
    const group = await world.group(alice, [bob], { mode, suite })
    const { impl } = await load(suite)
    const pending = await buildCommit(group.record, [], impl)
    group.record.pending = pending
    const first = await alice.device.http.post<Accepted>(`${group.path}/commits`, pending.bundle)
    expect(await alice.device.http.post(`${group.path}/commits`, pending.bundle)).toEqual(first)
    await alice.until('the Commit in the log', () => group.epoch === 2)
    mergePending(group.record)
    await bob.until('epoch 2', () => at(bob, group).epoch === 2)
    await at(bob, group).update()
    expect(await alice.device.http.post(`${group.path}/commits`, pending.bundle)).toMatchObject({ seq: first.seq, chain: first.chain })
    const commits = (await group.history(1)).entries.filter((entry) => toHex(entry.hash) === pending.hash)
    expect(commits).toHaveLength(1)
  })

  it('[I1] many at once: everyone succeeds in the end, and all agree', async () => {
    const [alice, bob, carol] = await world.cast('alice', 'bob', 'carol')
    const group = await world.group(alice, [bob, carol], { mode, suite })
    const everyone = [alice, bob, carol].map((client) => at(client, group))
    await Promise.all(everyone.flatMap((member) => [member.update(), member.send(`from ${member.device.client}`)]))
    await alice.until('epoch 4', () => group.epoch === 4)
    await agreed([bob, carol], group)
    await alice.until('three texts', () => group.texts.length === 3)
    await heard([bob, carol], group, group.texts)
  })
})
