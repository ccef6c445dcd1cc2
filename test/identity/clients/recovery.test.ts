import { describe, expect, it } from '@jest/globals'
import { newRecoveryWords } from '../../../examples/client/identity/recovery-words.js'
import { active } from '../../../examples/client/identity/list.js'
import { at, joined, problemOf, useWorld } from '../../support/world.js'

const world = useWorld()

/** A user with words in a drawer, and a device that is lost. */
async function withWords(name: string) {
  const words = newRecoveryWords()
  const user = world.unique(name)
  const phone = await world.unknown(user, 'phone')
  await phone.device.register(undefined, words)
  await phone.device.publishKeyPackages(3)
  phone.connect()
  return { phone, words, found: await world.unknown(user, 'found') }
}

describe('who has lost all devices', () => {
  it('comes back by the words, under the same identity, without the operator', async () => {
    const { phone, words, found } = await withWords('alice')
    const [bob] = await world.cast('bob')
    const group = await world.group(bob, [phone])
    await group.send('before')
    await phone.disconnect()
    await found.device.recover(words)
    await found.device.publishKeyPackages(3)
    found.connect()
    await found.device.own.revoke([phone.uri])
    expect(active(found.device.own.kept.list).map(({ subject }) => subject)).toEqual(['', found.uri])
    await bob.device.identities.of(found.user, { fresh: true })
    await group.add(found.user)
    await joined(found, group.record.groupId)
    await group.send('after')
    await found.until('the text', () => at(found, group).texts.includes('after'))
    expect(at(found, group).texts).toEqual(['after'])
    expect(group.members).toEqual([bob.uri, found.uri])
    expect(bob.device.identities.kept(found.user)).toMatchObject({ trouble: undefined })
  })

  it('does not come back by other words', async () => {
    const { found } = await withWords('carol')
    expect(await problemOf(found.device.recover(newRecoveryWords()))).toMatchObject({ kind: 'login-refused' })
  })

  it('can add words later, from any device', async () => {
    const [phone] = await world.cast('dave')
    const words = newRecoveryWords()
    await phone.device.own.addRecoveryKey(words)
    const found = await world.unknown(phone.user.split('/').at(-1)!, 'found')
    await found.device.recover(words)
    expect(found.device.own.kept.list.entries).toHaveLength(4)
    // The phone is still there, and is shown what it did not do.
    await phone.device.login()
    expect(phone.device.own.unseen().map(({ subject }) => subject)).toEqual([found.uri])
  })
})
