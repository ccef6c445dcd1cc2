import { describe, expect, it } from '@jest/globals'
import { encodeMlsMessage, joinGroupExternal } from 'ts-mls'
import type { LeafNode } from 'ts-mls/leafNode.js'
import { Client } from '../../../examples/client/client.js'
import { signedGroupInfo } from '../../../examples/client/commits.js'
import type { Entry } from '../../../examples/client/entries.js'
import type { Group } from '../../../examples/client/group.js'
import { newRecoveryWords } from '../../../examples/client/identity/recovery-words.js'
import { readingExternalPub } from '../../../examples/client/mls/external-pub.js'
import { clientOf } from '../../../examples/client/mls/leaves.js'
import { clientConfig, suite } from '../../../examples/client/mls/suites.js'
import { decodeTree, encodeTree } from '../../../examples/client/mls/tree.js'
import { agreeToPolicy, changePolicy } from '../../../examples/client/policy.js'
import type { Mode } from '../../../examples/client/store.js'
import { sha256 } from '../../../examples/client/wire.js'
import { at } from '../../support/world.js'
import { useMaliciousServer } from './malicious-server.js'

// Devices with good certificates that nobody in the group vouches for: the server lets them in, members do not.

const evil = useMaliciousServer()
const MODES: Mode[] = ['public', 'private']

/** The server forgets who was put out, and lets everybody in. */
async function join(client: Client, group: Group): Promise<Group> {
  await evil.setPolicy(group, "external_join = 'open', join_code_hash = NULL, identities = 'any'")
  await evil.server.pool.query(
    'DELETE FROM member WHERE until_seq IS NOT NULL AND device_id = (SELECT id FROM device WHERE client_uri = $1)',
    [client.uri],
  )
  const { groupId, mode, suite: id } = group.record
  return client.joinExternally({ groupId, mode, suite: id })
}

/** By words that a device without a leaf has certified: the new device hangs from no other one. */
async function recovered(name: string): Promise<{ phone: Client; found: Client }> {
  const words = newRecoveryWords()
  const user = `${name}-${process.pid}-${Math.floor(Math.random() * 1e9)}`
  const [first, phone] = [await evil.unknown(user, 'first'), await evil.unknown(user, 'phone')]
  await first.device.register()
  await first.device.enrol(phone.device)
  await first.device.own.addRecoveryKey(words)
  await phone.device.publishKeyPackages(4)
  const found = await evil.unknown(user, 'found', { suites: [1, 3] })
  await found.device.recover(words)
  return { phone, found }
}

const FAILS = { reason: 'invalid', rule: 'external-join' }

describe.each(MODES)('a device that comes into a %s group by itself', (mode) => {
  it('is put out before the next message if its user has no leaf in it', async () => {
    const [alice, bob] = await evil.cast(['alice', 'bob'])
    const group = await evil.group(bob, [alice], { mode })
    await group.remove(alice.uri)
    await evil.sync(alice)
    await join(alice, group)
    await group.catchUp()
    expect(group.record.quarantine).toMatchObject([{ client: alice.uri, ...FAILS }])
    await group.send('not for the one who was removed')
    await evil.sync(alice)
    expect(group.members).toEqual([bob.uri])
    expect(at(alice, group).texts).toEqual([])
  })

  it('is put out if it hangs from none of the leaves of its user', async () => {
    const { phone, found } = await recovered('alice')
    const [bob] = await evil.cast(['bob'])
    const group = await evil.group(bob, [phone], { mode })
    await join(found, group)
    await group.catchUp()
    expect(group.record.quarantine).toMatchObject([{ client: found.uri, ...FAILS }])
    await group.send('for the phone')
    await evil.sync(found, phone)
    expect(at(found, group).texts).toEqual([])
    expect(at(phone, group).texts).toEqual(['for the phone'])
    // A member may add it.
    await found.device.publishKeyPackages(4)
    await group.add(found.user)
    await group.send('for both')
    expect(group.members).toEqual([bob.uri, phone.uri, found.uri])
  })

  it('is put out if another user’s device had removed it, though the device that certified it is there', async () => {
    const [phone, laptop, bob] = await evil.cast(['alice/phone', 'alice/laptop', 'bob'])
    const group = await evil.group(bob, [phone, laptop], { mode })
    await group.remove(laptop.uri)
    await evil.sync(laptop, phone)
    await join(laptop, group)
    await at(phone, group).catchUp()
    expect(at(phone, group).record.quarantine).toMatchObject([{ client: laptop.uri, ...FAILS }])
    await group.send('for the phone')
    await evil.sync(laptop)
    expect(at(laptop, group).texts).toEqual([])
  })

  it('does not get away with a new leaf, nor by a restart of the member', async () => {
    const { phone, found } = await recovered('alice')
    const [bob] = await evil.cast(['bob'])
    const group = await evil.group(bob, [phone], { mode })
    const theirs = await join(found, group)
    await theirs.update()
    await group.catchUp()
    const again = await Client.restore(bob.store.export(), evil.url)
    await again.group(group.record.groupId).send('after a restart')
    expect(again.group(group.record.groupId).members).toEqual([bob.uri, phone.uri])
  })

  it('does not get away with replacing its own leaf, in another place and by another key', async () => {
    const { phone, found } = await recovered('alice')
    const [bob, mallory, carol] = await evil.cast(['bob', 'mallory', 'carol'])
    const group = await evil.group(bob, [carol, phone, mallory], { mode })
    await join(found, group)
    // Her client helps, and looks at nothing.
    mallory.device.record.certified = false
    await at(mallory, group).catchUp()
    await at(mallory, group).remove(carol.uri)
    await group.catchUp()
    found.device.record.keys.set(1, found.device.record.keys.get(3)!)
    await group.receive([await replacing(found, found, group)])
    expect(group.members).toEqual([bob.uri, found.uri, phone.uri, mallory.uri])
    expect(group.record.quarantine).toMatchObject([{ client: found.uri, ...FAILS }])
  })

  it('stays if one that is in has certified it, and comes again after it has left', async () => {
    const [phone, laptop, bob] = await evil.cast(['alice/phone', 'alice/laptop', 'bob'])
    const group = await evil.group(bob, [phone], { mode })
    await group.remove(laptop.uri)
    const tablet = await evil.unknown(phone.user.split('/').at(-1)!, 'tablet')
    await laptop.device.enrol(tablet.device)
    const { groupId, suite: id } = group.record
    const theirs = await tablet.joinExternally({ groupId, mode, suite: id })
    await group.catchUp()
    expect(group.members).toContain(tablet.uri)
    expect(group.record.quarantine).toEqual([])
    await group.send('welcome')
    await evil.sync(tablet)
    expect(theirs.texts).toEqual(['welcome'])
    await theirs.leave()
    await evil.sync(bob, phone, bob)
    await group.send('left')
    await evil.sync(bob, phone)
    expect(group.members).not.toContain(tablet.uri)
    await tablet.joinExternally({ groupId, mode, suite: id })
    await group.catchUp()
    expect(group.record.quarantine).toEqual([])
    await group.send('again')
    expect(group.members).toContain(tablet.uri)
  })
})

describe('a group that is open to others', () => {
  it('is so for members whose users know of it, not for those that the server tells', async () => {
    const [alice, bob, carol] = await evil.cast(['alice', 'bob', 'carol'])
    const group = await evil.group(alice, [bob])
    await changePolicy(group, { external_join: 'open' })
    const { groupId, mode, suite: id } = group.record
    await carol.joinExternally({ groupId, mode, suite: id })
    await group.send('welcome, carol')
    await at(bob, group).catchUp()
    expect(at(bob, group).record.quarantine).toMatchObject([{ client: carol.uri, ...FAILS }])
    agreeToPolicy(at(bob, group), { external_join: 'open' })
    await at(bob, group).send('and welcome')
    expect(at(bob, group).members).toEqual([alice.uri, bob.uri, carol.uri])
  })
})

describe.each(MODES)('a device that replaces a leaf of a %s group', (mode) => {
  it('stays by its own key, and by one that its own certificate brought', async () => {
    const [alice, bob] = await evil.cast(['alice', 'bob'])
    const group = await evil.group(bob, [alice], { mode })
    const { groupId, suite: id } = group.record
    await alice.device.own.renewCertificate()
    await alice.joinExternally({ groupId, mode, suite: id, resync: true })
    await group.send('still here')
    expect(group.record.quarantine).toEqual([])
    expect(group.members).toEqual([bob.uri, alice.uri])
  })

  it('fails if the leaf is of another device', async () => {
    const [alice, mallory, bob] = await evil.cast(['alice', 'mallory', 'bob'])
    const group = await evil.group(bob, [alice], { mode, policy: { external_join: 'open' } })
    await group.receive([await replacing(mallory, alice, group)])
    expect(group.members).toEqual([bob.uri, mallory.uri])
    expect(group.record.quarantine).toMatchObject([{ client: mallory.uri, ...FAILS }])
  })
})

/** An external Commit of `by` that removes the leaf of `victim`, as an entry that the server has let through. */
async function replacing(by: Client, victim: Client, { record }: Group): Promise<Entry> {
  const info = await signedGroupInfo(record.state, (await suite(1)).impl)
  const impl = readingExternalPub((await suite(1)).impl, info)
  const tree = decodeTree(encodeTree(record.state.ratchetTree))
  const own = await by.device.newKeyPackage(1)
  const compareKeyPackageToLeafNode = (_: unknown, leaf: LeafNode) => clientOf(leaf) === victim.uri
  const config = { ...clientConfig, keyPackageEqualityConfig: { ...clientConfig.keyPackageEqualityConfig, compareKeyPackageToLeafNode } }
  const { publicMessage } = await joinGroupExternal(info, own.public, own.private, true, impl, tree, config)
  const message = encodeMlsMessage({ version: 'mls10', wireformat: 'mls_public_message', publicMessage })
  const { groupId: group_id, incarnation, cursor } = record
  const epoch = Number(record.state.groupContext.epoch)
  return {
    group_id,
    incarnation,
    seq: cursor + 1,
    kind: 'commit',
    epoch,
    accepted_at: 0,
    hash: sha256(message),
    chain: sha256(message),
    message,
  }
}
