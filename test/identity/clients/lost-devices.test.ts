import { describe, expect, it } from '@jest/globals'
import type { Client } from '../../../examples/client/client.js'
import type { Group } from '../../../examples/client/group.js'
import { active } from '../../../examples/client/identity/list.js'
import { newRecoveryWords } from '../../../examples/client/identity/recovery-words.js'
import type { Mode } from '../../../examples/client/store.js'
import { at } from '../../support/world.js'
import { useMaliciousServer } from './malicious-server.js'

// Words that were made at the registration are certified by the identity key, not by a device that has a leaf (docs/identity.md §4).

const evil = useMaliciousServer()
const MODES: Mode[] = ['public', 'private']
let serial = 0

/** A user with words in a drawer. */
async function withWords() {
  const words = newRecoveryWords()
  const user = `drawer-${process.pid}-${++serial}`
  const phone = await evil.unknown(user, 'phone')
  await phone.device.register(undefined, words)
  await phone.device.publishKeyPackages(4)
  return { phone, words, found: await evil.unknown(user, 'found') }
}

function join(client: Client, { record: { groupId, mode, suite } }: Group): Promise<Group> {
  return client.joinExternally({ groupId, mode, suite })
}

/** An honest server refuses. Then it forgets who was put out, and lets everybody in. */
async function joinByLies(client: Client, group: Group): Promise<Group> {
  await expect(join(client, group)).rejects.toMatchObject({ status: 403, kind: 'policy' })
  await evil.setPolicy(group, "external_join = 'open', join_code_hash = NULL, identities = 'any'")
  await evil.server.pool.query(
    `DELETE FROM member WHERE until_seq IS NOT NULL AND device_id IN
       (SELECT d.id FROM device d JOIN account a ON a.id = d.account_id WHERE a.user_uri = $1)`,
    [client.user],
  )
  return join(client, group)
}

async function expectPutOut(client: Client, group: Group): Promise<void> {
  await group.catchUp()
  expect(group.record.quarantine).toMatchObject([{ client: client.uri, reason: 'invalid', rule: 'external-join' }])
  await group.send('not for it')
  await evil.sync(client)
  expect(group.members).not.toContain(client.uri)
  expect(at(client, group).texts).toEqual([])
}

describe.each(MODES)('the leaves that a user’s lost devices have in a %s group', (mode) => {
  it('let the new device in, which the words of the registration have certified; then the lost ones go', async () => {
    const { phone, words, found } = await withWords()
    const [bob, carol] = await evil.cast(['bob', 'carol'])
    const group = await evil.group(bob, [phone, carol], { mode })
    await found.device.recover(words)
    const theirs = await join(found, group)
    await evil.sync(bob, carol)
    for (const member of [bob, carol]) expect(at(member, group).record.quarantine).toEqual([])
    await group.send('you are back')
    await evil.sync(found)
    expect(theirs.texts).toEqual(['you are back'])
    await found.device.own.revoke([phone.uri])
    expect(active(found.device.own.kept.list).map(({ subject }) => subject)).toEqual(['', found.uri])
    await evil.sync(found)
    await theirs.remove(phone.uri)
    await evil.sync(bob, carol)
    expect(group.members).toEqual([bob.uri, carol.uri, found.uri])
    // Its right to be there ends with nothing that happens to the words' or the lost device's entries afterwards.
    await at(carol, group).send('and stay')
    await evil.sync(found)
    expect(theirs.texts).toEqual(['you are back', 'and stay'])
  })

  it('let nobody in when others have removed them', async () => {
    const { phone, words, found } = await withWords()
    const [bob] = await evil.cast(['bob'])
    const group = await evil.group(bob, [phone], { mode })
    await group.remove(phone.uri)
    await found.device.recover(words)
    await joinByLies(found, group)
    await expectPutOut(found, group)
  })

  it('let nobody in by words that the first device, which is out, has certified for itself', async () => {
    const { phone: stolen, found } = await withWords()
    const laptop = await evil.unknown(stolen.user.split('/').at(-1)!, 'laptop')
    await stolen.device.enrol(laptop.device)
    await laptop.device.publishKeyPackages(4)
    const [bob] = await evil.cast(['bob'])
    const group = await evil.group(bob, [stolen, laptop], { mode })
    await group.remove(stolen.uri)
    const thiefs = newRecoveryWords()
    await stolen.device.own.addRecoveryKey(thiefs)
    await found.device.recover(thiefs)
    await joinByLies(found, group)
    await expectPutOut(found, group)
  })

  it('let nobody in by a device without a leaf, though the words have certified that one', async () => {
    const { phone, words, found } = await withWords()
    const [bob] = await evil.cast(['bob'])
    const group = await evil.group(bob, [phone], { mode })
    await found.device.recover(words)
    const tablet = await evil.unknown(phone.user.split('/').at(-1)!, 'tablet')
    await found.device.enrol(tablet.device)
    await joinByLies(tablet, group)
    await expectPutOut(tablet, group)
  })
})
