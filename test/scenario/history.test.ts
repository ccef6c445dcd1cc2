import { describe, expect, it } from '@jest/globals'
import type { Entry } from '../../examples/client/entries.js'
import { toHex } from '../../examples/client/wire.js'
import { extendChain, initialChain } from '../../src/protocol/log-chain.js'
import { at, heard, joined, MODES_AND_SUITES, useWorld } from '../support/world.js'

describe.each(MODES_AND_SUITES)('history in %s mode, suite %i', (mode, suite) => {
  const world = useWorld()

  it('is read by seq or by epoch, in pages, gapless, and its hash chain adds up to the head', async () => {
    const [alice, bob] = await world.cast('alice', 'bob')
    const group = await world.group(alice, [bob], { mode, suite })
    for (const text of ['a', 'b']) {
      await group.send(text)
      await group.update()
    }
    const all = (await group.history(1)).entries
    expect(all.map((entry) => [entry.seq, entry.kind, entry.epoch])).toEqual([
      [1, 'commit', 0],
      [2, 'application', 1],
      [3, 'commit', 1],
      [4, 'application', 2],
      [5, 'commit', 2],
    ])
    const page = await group.history(2, 2)
    expect([page.entries.map((entry) => entry.seq), page.next_seq, page.head_seq]).toEqual([[2, 3], 4, 5])
    const byEpoch = await alice.device.http.get<{ entries: Entry[] }>(`${group.path}/log?from_epoch=2`)
    expect(byEpoch.entries.map((entry) => entry.seq)).toEqual([4, 5])

    const view = await alice.device.http.get<{ head_chain: Uint8Array; head_seq: number }>(group.path)
    expect([view.head_seq, toHex(view.head_chain)]).toEqual([5, toHex(all[4]!.chain)])
    expect(chainOf(group.record.groupId, all)).toEqual(all.map((entry) => toHex(entry.chain)))
  })

  it('begins for a joiner behind the Commit that added it', async () => {
    const [alice, bob] = await world.cast('alice', 'bob')
    const group = await world.group(alice, [], { mode, suite })
    await group.send('to myself')
    await group.add(bob.user)
    await joined(bob, group.record.groupId)
    await group.send('to bob')
    await heard([bob], group, ['to bob'])
    expect((await at(bob, group).history(1)).entries.map((entry) => entry.seq)).toEqual([3])
  })
})

function chainOf(groupId: Uint8Array, entries: readonly Entry[]): string[] {
  let chain = initialChain(groupId, entries[0]?.incarnation ?? 1)
  return entries.map((entry) => {
    chain = extendChain(chain, { seq: BigInt(entry.seq), kind: entry.kind, epoch: BigInt(entry.epoch), hash: entry.hash })
    return toHex(chain)
  })
}
