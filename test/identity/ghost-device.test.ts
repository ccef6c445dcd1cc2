import { describe, expect, it } from '@jest/globals'
import { randomUUID } from 'node:crypto'
import { encodeMlsMessage } from 'ts-mls'
import { Client } from '../../examples/client/client.js'
import { groupInfo } from '../../examples/client/commits.js'
import type { Group } from '../../examples/client/group.js'
import { joinByGroupInfo } from '../../examples/client/mls/external-join.js'
import { encodeTree, settled } from '../../examples/client/mls/tree.js'
import { suite } from '../../examples/client/mls/suites.js'
import { utf8 } from '../../examples/client/wire.js'
import { refusal, useStage } from '../groups/group-fixture.js'
import { groupInfoOf } from '../groups/hostile.js'
import { privateKey } from '../support/mls/device-lists.js'
import { show, StoredList } from './lists-fixture.js'

// Who owns the server's database, or a user's session, makes a device row of that user with a key of its own: a ghost.

const stage = useStage()
// Their lists are written by the tests.
stage.identity = false

const WORDS = { kind: 'recovery-key', rights: 1 } as const

/** A device of the same user that the server does not know yet. */
function another({ user: of }: Client, device: string): Promise<Client> {
  const [, , , , user = ''] = of.split('/')
  return Client.create({ baseUrl: stage.server.url, domain: 'localhost', user, device, retries: 0, identity: false })
}

/** A device that nobody of the user's has let in: its rows are written into the database. */
async function ghostOf(victim: Client): Promise<Client> {
  const ghost = await another(victim, 'ghost')
  const { rows } = await stage.pool.query<{ id: bigint }>(
    'INSERT INTO device (account_id, client_uri) SELECT id, $2 FROM account WHERE user_uri = $1 RETURNING id',
    [victim.user, ghost.uri],
  )
  for (const [id, { publicKey }] of ghost.device.record.keys) {
    const values = [rows[0]!.id, (await suite(id)).scheme, Buffer.from(publicKey)]
    await stage.pool.query('INSERT INTO signature_key (device_id, scheme, public_key) VALUES ($1, $2, $3)', values)
  }
  await ghost.device.login()
  return ghost
}

async function join(client: Client, group: Group): Promise<void> {
  const { groupId, mode, suite: id } = group.record
  await client.joinExternally({ groupId, mode, suite: id })
}

/** By the GroupInfo and the tree of a member. */
async function joinWith({ device }: Client, group: Group): Promise<void> {
  const { impl } = await suite(1)
  const tree = group.record.state.ratchetTree
  const joined = await joinByGroupInfo(await groupInfoOf(group), await device.newKeyPackage(1), { tree, resync: false }, impl)
  const state = settled(joined.newState)
  await device.http.post(`${group.path}/commits`, {
    commit: encodeMlsMessage({ version: 'mls10', wireformat: 'mls_public_message', publicMessage: joined.publicMessage }),
    group_info: await groupInfo(state, impl),
    ...(group.record.mode === 'private' ? { ratchet_tree: encodeTree(state.ratchetTree) } : {}),
  })
}

describe.each(['public', 'private'] as const)('a ghost device of a member of a %s group', (mode) => {
  it('neither joins by itself nor reads the roster, by the policy that new groups have', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await alice.createGroup({ groupId: utf8(randomUUID()), mode })
    await group.add(bob.user)
    const ghost = await ghostOf(alice)
    expect(await refusal(join(ghost, group))).toMatchObject({ status: 403, kind: 'policy' })
    const tree = ghost.device.http.get(`${group.path}/tree`)
    expect(await refusal(tree)).toMatchObject({ status: 403, kind: 'policy' })
    await stage.sync(bob)
    await group.send('for members')
    const read = ghost.device.http.get(`${group.path}/log`)
    expect(await refusal(read)).toMatchObject({ status: 403, kind: 'not-a-member' })
  })

  it.each(['same-user', 'code'] as const)('does not join where joins are for %s either, and reads no roster', async (external_join) => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const code = external_join === 'code' ? { join_code: 'open sesame' } : {}
    const group = await stage.group(alice, [bob], { mode, policy: { external_join, ...code } })
    const ghost = await ghostOf(alice)
    expect(await refusal(join(ghost, group))).toMatchObject({ status: 403, kind: 'policy' })
    expect(await refusal(ghost.device.http.get(`${group.path}/group-info`))).toMatchObject({ status: 403, kind: 'policy' })
    // Not by a GroupInfo that it has from elsewhere.
    expect(await refusal(joinWith(ghost, group))).toMatchObject({ status: 403, kind: 'policy' })
  })

  it('does not join where its user has a list that says nothing of it', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob], { mode })
    const ghost = await ghostOf(alice)
    const list = await StoredList.begin(stage.pool, alice)
    await list.certify(alice)
    expect(await refusal(joinWith(ghost, group))).toMatchObject({ status: 403, kind: 'policy' })
  })

  it('joins where a member has certified it, directly or through others, and nobody else’s word will do', async () => {
    const [alice, tablet, desk, other, bob] = await stage.cast('alice', 'alice/tablet', 'alice/desk', 'alice/other', 'bob')
    const group = await stage.group(alice, [], { mode })
    await group.add(bob.user)
    await stage.sync(bob)
    const list = await StoredList.begin(stage.pool, alice)
    const phone = await list.certify(alice)
    const signer = await list.certify(tablet, phone)
    const { number } = await list.certify(desk, signer)
    await list.certify(other)
    show(desk, list.maker.leafCertificate(number))
    await join(desk, group)
    await stage.sync(alice)
    expect(group.members).toEqual([alice.uri, bob.uri, desk.uri])
    // The identity key is offline; a device that it has certified itself hangs from nobody in the group.
    expect(await refusal(join(other, group))).toMatchObject({ status: 403, kind: 'policy' })
    await join(tablet, group)
  })

  it('joins by words or a passkey that the identity key has certified, where a device of this identity is in', async () => {
    const [alice, tablet, desk, bob] = await stage.cast('alice', 'alice/tablet', 'alice/desk', 'bob')
    const group = await stage.group(alice, [], { mode })
    await group.add(bob.user)
    const list = await StoredList.begin(stage.pool, alice)
    const words = await list.maker.certify(list.maker.root, '', privateKey(), WORDS)
    const passkey = await list.maker.certify(list.maker.root, 'localhost', privateKey(), { ...WORDS, kind: 'passkey' })
    // A renewed certificate hangs from the former one.
    await list.certify(tablet, await list.certify(tablet, words))
    // The leaf of a device that the list does not have is of no device of this identity.
    expect(await refusal(joinWith(tablet, group))).toMatchObject({ status: 403, kind: 'policy' })
    await list.certify(alice)
    await list.certify(desk, passkey)
    await join(tablet, group)
    await join(desk, group)
    await stage.sync(alice)
    expect(group.members).toEqual([alice.uri, bob.uri, tablet.uri, desk.uri])
  })

  it('does not join by the words of a device without a leaf, nor by a device without one that words have certified', async () => {
    const [alice, thief, found, tablet, desk, bob] = await stage.cast(
      'alice',
      'alice/thief',
      'alice/found',
      'alice/tablet',
      'alice/desk',
      'bob',
    )
    const group = await stage.group(alice, [], { mode })
    await group.add(bob.user)
    const list = await StoredList.begin(stage.pool, alice)
    // The first device: the identity key has certified it.
    const first = await list.certify(thief)
    await list.certify(alice, first)
    await list.certify(tablet, await list.maker.certify(first, '', privateKey(), WORDS))
    expect(await refusal(joinWith(tablet, group))).toMatchObject({ status: 403, kind: 'policy' })
    const words = await list.maker.certify(list.maker.root, '', privateKey(), WORDS)
    await list.certify(desk, await list.certify(found, words))
    expect(await refusal(joinWith(desk, group))).toMatchObject({ status: 403, kind: 'policy' })
    expect(await refusal(joinWith(desk, group))).toMatchObject({ status: 403, kind: 'policy' })
  })

  it('does not join by words for a user who was put out', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(bob, [alice], { mode })
    await group.remove(alice.uri)
    const tablet = await another(alice, 'tablet')
    await alice.device.enrol(tablet.device)
    const list = await StoredList.begin(stage.pool, alice)
    await list.certify(alice)
    await list.certify(tablet, await list.maker.certify(list.maker.root, '', privateKey(), WORDS))
    expect(await refusal(joinWith(tablet, group))).toMatchObject({ status: 403, kind: 'policy' })
  })

  it('does not join with a key that was written for a certified device', async () => {
    const [alice, tablet, bob] = await stage.cast('alice', 'alice/tablet', 'bob')
    const group = await stage.group(alice, [], { mode })
    await group.add(bob.user)
    const list = await StoredList.begin(stage.pool, alice)
    await list.certify(tablet, await list.certify(alice))
    const stolen = await suite(1)
    const keys = await stolen.impl.signature.keygen()
    await stage.pool.query('INSERT INTO signature_key (device_id, scheme, public_key, certificate) VALUES ($1, $2, $3, 3)', [
      await stage.deviceId(tablet),
      stolen.scheme,
      Buffer.from(keys.publicKey),
    ])
    tablet.device.record.keys.set(1, keys)
    expect(await refusal(join(tablet, group))).toMatchObject({ status: 403, kind: 'policy' })
  })
})
