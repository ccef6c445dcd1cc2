import { randomUUID } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import type { Client } from '../../examples/client/client.js'
import { utf8 } from '../../examples/client/wire.js'
import { refusal, useStage } from '../groups/group-fixture.js'
import { show, StoredList } from './lists-fixture.js'

const stage = useStage()
// Their lists are written by the tests.
stage.identity = false

/** A user with a list that certifies its one device. */
async function listed(client: Client): Promise<StoredList> {
  const list = await StoredList.begin(stage.pool, client)
  await list.certify(client)
  return list
}

const policyOf = ({ device }: Client, path: string) => device.http.get<{ identities: string; version: number }>(`${path}/policy`)

describe('the policy identities', () => {
  it('is certified where the creator has a device list, unless it says otherwise', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    await listed(alice)
    const begin = (client: Client, identities?: 'any') =>
      client.createGroup({ groupId: utf8(randomUUID()), ...(identities && { policy: { identities } }) })
    const [mine, open, theirs] = [await begin(alice), await begin(alice, 'any'), await begin(bob)]
    const shown = [await policyOf(alice, mine.path), await policyOf(alice, open.path), await policyOf(bob, theirs.path)]
    expect(shown.map(({ identities }) => identities)).toEqual(['certified', 'any', 'any'])
  })

  it('becomes certified by an admin, and is never taken back, by itself, with others or by a successor', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    await listed(alice)
    const group = await stage.group(alice, [bob], { policy: { identities: 'any' } })
    const set = (client: Client, change: object) => client.device.http.put<{ identities: string }>(`${group.path}/policy`, change)
    expect(await refusal(set(bob, { identities: 'certified' }))).toMatchObject({ status: 403, kind: 'forbidden' })
    expect(await set(alice, { identities: 'certified' })).toMatchObject({ identities: 'certified' })
    expect(await refusal(set(alice, { identities: 'any' }))).toMatchObject({ status: 403, kind: 'policy' })
    expect(await set(alice, { add_members: 'admins' })).toMatchObject({ identities: 'certified' })
    // A node of the release before does not name it.
    await stage.pool.query(
      `SELECT change_policy(p_gid => $1, p_user => (SELECT account_id FROM device WHERE id = $2), p_version => $3, p_external_join => 'none',
                            p_join_code_hash => NULL, p_add => 'members', p_remove => 'members', p_reports => 3)`,
      [await stage.gid(group), await stage.deviceId(alice), (await policyOf(alice, group.path)).version],
    )
    expect(await policyOf(alice, group.path)).toMatchObject({ identities: 'certified', add_members: 'members' })
    await alice.device.http.post(`${group.path}/reset`)
    const next = (policy?: { identities: 'any' }) =>
      alice.createGroup({ groupId: utf8(randomUUID()), successorOf: group.record.groupId, ...(policy && { policy }) })
    expect(await refusal(next({ identities: 'any' }))).toMatchObject({ status: 403, kind: 'policy' })
    expect(await policyOf(alice, (await next()).path)).toMatchObject({ identities: 'certified' })
  })

  it('is not for a creator without a certificate', async () => {
    const [alice] = await stage.cast('alice')
    const group = stage.group(alice, [], { policy: { identities: 'certified' } })
    expect(await refusal(group)).toMatchObject({ status: 422, document: { rule: 'device-certificate-missing' } })
  })
})

describe.each(['public', 'private'] as const)('a certified %s group', (mode) => {
  it('takes in nobody whom no list certifies, and those that one does', async () => {
    const [alice, bob, carol] = await stage.cast('alice', 'bob', 'carol')
    await listed(alice)
    const group = await stage.group(alice, [], { mode, policy: { identities: 'certified' } })
    expect(await refusal(group.add(bob.user))).toMatchObject({ status: 422, document: { rule: 'device-certificate-missing' } })
    const list = await listed(carol)
    await group.add(carol.user)
    await stage.sync(carol)
    expect(group.members).toEqual([alice.uri, carol.uri])
    // Without a certificate no more: the key is registered, and was certified.
    await list.revoke(list.maker.root, { number: 2 })
    await group.remove(carol.uri)
    expect(await refusal(group.add(carol.user))).toMatchObject({ status: 422, document: { rule: 'device-certificate-missing' } })
  })
})

describe('the certificate in a KeyPackage', () => {
  const publish = (client: Client) => refusal(client.device.publishKeyPackages(1))

  it('is of the user’s list, of this device and in force', async () => {
    const [alice, mallory] = await stage.cast('alice', 'mallory')
    const list = await listed(alice)
    show(alice, list.maker.leafCertificate(2))
    await alice.device.publishKeyPackages(1)
    show(mallory, list.maker.leafCertificate(2))
    expect(await publish(mallory)).toMatchObject({ status: 422, kind: 'invalid-key-package', document: { rule: 'device-certificate' } })
    show(alice, (await listed(mallory)).maker.leafCertificate(2))
    expect(await publish(alice)).toMatchObject({ status: 422, document: { rule: 'device-certificate' } })
    show(alice, list.maker.leafCertificate(2))
    await list.revoke(list.maker.root, { number: 2 })
    expect(await publish(alice)).toMatchObject({ status: 422, document: { rule: 'device-certificate-current' } })
  })

  it('comes into a public group with the leaf, and stays there through Commits', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    await listed(alice)
    const list = await listed(bob)
    show(bob, list.maker.leafCertificate(2))
    await bob.device.http.delete('/v1/key-packages')
    await bob.device.publishKeyPackages(1)
    const group = await stage.group(alice, [bob])
    await bob.group(group.record.groupId).update()
    await list.revoke(list.maker.root, { number: 2 })
    const late = bob.group(group.record.groupId).update()
    expect(await refusal(late)).toMatchObject({ status: 422, document: { rule: 'device-certificate-current' } })
  })
})
