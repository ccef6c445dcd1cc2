import { describe, expect, it } from '@jest/globals'
import type { Proposal } from 'ts-mls'
import type { Client } from '../../examples/client/client.js'
import { decodeKeyPackageMessage } from '../../examples/client/mls/key-package-message.js'
import { at, draft, refusal, submit, useStage } from '../groups/group-fixture.js'

const stage = useStage()

/** One claim of the target's only device. */
async function addOf(by: Client, target: Client): Promise<Proposal & { lastResort: boolean }> {
  const { key_packages: claimed } = await by.device.claim(target.user, 1)
  const [{ key_package, last_resort }] = claimed as unknown as [{ key_package: Uint8Array; last_resort: boolean }]
  return { proposalType: 'add', add: { keyPackage: decodeKeyPackageMessage(key_package) }, lastResort: last_resort }
}

describe.each(['public', 'private'] as const)('a KeyPackage that is not of last resort, in %s groups', (mode) => {
  it('brings its client into one group, once', async () => {
    const [mallory, victim] = await stage.cast('mallory', 'victim')
    const add = await addOf(mallory, victim)
    expect(add.lastResort).toBe(false)
    const groups = await Promise.all(Array.from({ length: 6 }, () => stage.group(mallory, [], { mode })))
    // All at once, then one by one.
    const drafts = await Promise.all(groups.map((group) => draft(group, [add])))
    const answers = await Promise.all(
      groups.map((group, index) =>
        submit(mallory, group, drafts[index]!.bundle).then(
          () => 'accepted',
          ({ document }: { document: { rule?: string } }) => document.rule,
        ),
      ),
    )
    expect(answers.toSorted()).toEqual(['accepted', ...Array.from({ length: 5 }, () => 'key-package-used')])
    const later = await stage.group(mallory, [], { mode })
    expect(await refusal(submit(mallory, later, (await draft(later, [add])).bundle))).toMatchObject({
      status: 422,
      document: { rule: 'key-package-used' },
    })
    // The same Commit again is answered as before.
    const first = answers.indexOf('accepted')
    expect(await submit(mallory, groups[first]!, drafts[first]!.bundle)).toMatchObject({ seq: 1, epoch: 1 })
    await stage.sync(victim)
    expect(victim.groups.size).toBe(1)
  })

  it('is good for the next attempt after a Commit that lost its epoch', async () => {
    const [alice, bob, carol] = await stage.cast('alice', 'bob', 'carol')
    const group = await stage.group(alice, [bob], { mode })
    const add = await addOf(alice, carol)
    const late = await draft(group, [add])
    await at(bob, group).update()
    expect(await refusal(submit(alice, group, late.bundle))).toMatchObject({ status: 409, kind: 'stale-epoch' })
    await stage.sync(alice)
    await submit(alice, group, (await draft(group, [add])).bundle)
    await stage.sync(carol)
    expect(at(carol, group).epoch).toBe(3)
  })

  it('is not needed where the last resort is all there is', async () => {
    const [alice, victim] = await stage.cast('alice', 'victim')
    for (let n = 0; n < 5; n++) {
      const add = await addOf(alice, victim)
      const group = await stage.group(alice, [], { mode })
      await submit(alice, group, (await draft(group, [add])).bundle)
      expect(add.lastResort).toBe(n >= 3)
    }
  })
})
