import { randomUUID } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { createCommit, makePskIndex, type ClientState } from 'ts-mls'
import type { KeyPackage } from 'ts-mls/keyPackage.js'
import { treeHashRoot } from 'ts-mls/treeHash.js'
import type { Client } from '../../examples/client/client.js'
import type { Group } from '../../examples/client/group.js'
import { encodeTree } from '../../examples/client/mls/tree.js'
import { lifetime, suite } from '../../examples/client/mls/suites.js'
import { utf8 } from '../../examples/client/wire.js'
import { createGroup } from '../../src/groups/repository/groups.repository.js'
import { newGroupOf } from '../ordering/submission-fixture.js'
import { begin, claimed, create, goOn, keyPackageOf, reinitOf, shown, type Beginning, type Wish } from './group-creation-fixture.js'
import { at, refusal, useStage } from './group-fixture.js'

const stage = useStage()

const ruleOf = async (request: Promise<unknown>): Promise<unknown> => (await refusal(request)).document['rule']
const idOf = (group: Group) => group.record.groupId
const stateOf = (group: Group): ClientState => group.record.state

/** Alice and Bob and Carol in a group, and a branch with both that is ready to be sent. */
async function readyBranch(wish: Wish = {}): Promise<{ cast: readonly [Client, Client, Client]; group: Group; ready: Beginning }> {
  const cast = await stage.cast('alice', 'bob', 'carol')
  const [alice, bob, carol] = cast
  const group = await stage.group(alice, [bob, carol], { mode: wish.mode ?? 'public' })
  const ready = await begin(alice, await claimed(alice, [bob, carol]), { before: stateOf(group), ...wish })
  return { cast, group, ready: { ...ready, body: { ...ready.body, branch_of: idOf(group) } } }
}

/** The same, ended by a ReInit that announces `groupId`. */
async function reinitialized(mode: 'public' | 'private' = 'public') {
  const cast = await stage.cast('alice', 'bob', 'carol')
  const [alice, bob, carol] = cast
  const group = await stage.group(alice, [bob, carol], { mode })
  const groupId = utf8(randomUUID())
  await group.commit(() => [reinitOf(group, groupId)])
  await stage.sync(bob, carol)
  const wish: Wish = { before: stateOf(group), usage: 'reinit', groupId, mode }
  return { cast, group, groupId, wish }
}

describe.each(['public', 'private'] as const)('a group that begins at epoch 1 in %s mode', (mode) => {
  it('is a branch with members of another group, which read its log from the first entry on', async () => {
    const { cast, group, ready } = await readyBranch({ mode })
    const [alice, bob, carol] = cast
    const made = await create(alice, ready.body)
    expect(made).toMatchObject({ epoch: 1, seq: 0, group_id: ready.state.groupContext.groupId })
    expect(await create(alice, ready.body)).toEqual(made)
    const groupId = utf8(randomUUID())
    const branch = await alice.beginAfter({ before: group.record, origin: 'branch', groupId, users: [bob.user, carol.user] })
    for (const other of [bob, carol]) await other.poll()
    await goOn(stage, cast, groupId)
    expect((await alice.device.http.get<{ room: string }>(group.path)).room).not.toBe(made.room)
    expect(await alice.device.http.get(`${branch.path}/policy`)).toMatchObject({ admins: [alice.user] })
    await group.send('the group before continues, too')
  })

  it('is the successor of a ReInit with all members, and takes its room, admins and policy', async () => {
    const { cast, group, groupId } = await reinitialized(mode)
    const [alice, bob, carol] = cast
    const before = await alice.device.http.get<{ room: string }>(group.path)
    await alice.device.http.put(`${group.path}/admins/${bob.user.split('/u/')[1]}`)
    const next = await bob.beginAfter({ before: at(bob, group).record, origin: 'reinit', groupId, users: [alice.user, carol.user] })
    for (const other of [alice, carol]) await other.poll()
    await goOn(stage, [bob, alice, carol], groupId)
    expect(await alice.device.http.get(group.path)).toMatchObject({ room: before.room, successor: groupId, frozen: 'reinit' })
    expect(await bob.device.http.get(next.path)).toMatchObject({ room: before.room })
    expect(await bob.device.http.get(`${next.path}/policy`)).toMatchObject({ admins: [alice.user, bob.user] })
  })
})

describe('a branch is refused', () => {
  it('to strangers and to former members', async () => {
    const { cast, group, ready } = await readyBranch()
    const [alice, bob, carol] = cast
    const [mallory] = await stage.cast('mallory')
    const stranger = await begin(mallory, await claimed(mallory, [alice, bob]))
    const asked = (client: Client, { body }: Beginning) => create(client, { ...body, branch_of: idOf(group) })
    expect(await refusal(asked(mallory, stranger))).toMatchObject({ status: 404, kind: 'not-found' })
    await group.remove(carol.uri)
    expect(await refusal(asked(carol, await begin(carol, await claimed(carol, [alice]))))).toMatchObject({ status: 403 })
    expect(await ruleOf(create(alice, ready.body))).toBe('founding-members')
  })

  it('with a stranger in it, with one who leaves or is banned, or with one twice', async () => {
    const { cast, group } = await readyBranch()
    const [alice, bob, carol] = cast
    const [dave] = await stage.cast('dave')
    const asked = async (others: Client[]) =>
      ruleOf(create(alice, { ...(await begin(alice, await claimed(alice, others))).body, branch_of: idOf(group) }))
    expect(await asked([bob, dave])).toBe('founding-members')
    const twice = [...(await claimed(alice, [bob])), await keyPackageOf(bob, { identity: bob.uri, signer: carol })]
    expect(await ruleOf(create(alice, { ...(await begin(alice, twice)).body, branch_of: idOf(group) }))).toBe('one-leaf-per-client')
    await at(bob, group).leave()
    expect(await asked([bob, carol])).toBe('founding-members')
    await alice.device.http.put(`${group.path}/bans/${carol.user.split('/u/')[1]}`)
    expect(await asked([carol])).toBe('founding-members')
  })

  it('at epoch 0 and 2, without a group before it, or of another suite', async () => {
    const { cast, group, ready } = await readyBranch()
    const [alice, bob] = cast
    const { impl } = await suite(1)
    const branch = (body: object) => create(alice, { ...body, welcomes: ready.body['welcomes'], branch_of: idOf(group) })
    const again = await createCommit({ state: ready.state, cipherSuite: impl, pskIndex: makePskIndex(undefined, {}) })
    expect(await ruleOf(branch(await shown(again.newState)))).toBe('group-info-epoch')
    const alone = await begin(alice, [])
    const zero = { ...alone.state, groupContext: { ...alone.state.groupContext, epoch: 0n, confirmedTranscriptHash: new Uint8Array() } }
    expect(await ruleOf(create(alice, { ...(await shown(zero)), branch_of: idOf(group) }))).toBe('group-info-epoch')
    expect(await ruleOf(create(alice, { ...(await shown(zero)), welcomes: ready.body['welcomes'] }))).toBe('welcome-members')
    const { branch_of: _, ...untied } = ready.body
    expect(await ruleOf(create(alice, { ...untied, welcomes: [] }))).toBe('group-info-epoch')
    const other = await begin(alice, await claimed(alice, [bob], 2), { suite: 2 })
    expect(await ruleOf(create(alice, { ...other.body, branch_of: idOf(group) }))).toBe('branch-mismatch')
    expect(await refusal(create(alice, { ...ready.body, successor_of: idOf(group) }))).toMatchObject({ status: 400 })
  })

  it('with leaves that are not their devices’, or of no KeyPackage that is good now', async () => {
    const { cast, group, ready } = await readyBranch()
    const [alice, bob, carol] = cast
    const asked = async (...keyPackages: KeyPackage[]) =>
      ruleOf(create(alice, { ...(await begin(alice, keyPackages)).body, branch_of: idOf(group) }))
    expect(await refusal(create(bob, ready.body))).toMatchObject({ status: 403, kind: 'forbidden' })
    expect(await asked(await keyPackageOf(bob, { signer: 'nobody' }))).toBe('credential-key')
    const long = { ...lifetime(), notAfter: lifetime().notAfter + 400n * 86_400n }
    expect(await asked(await keyPackageOf(bob, { lifetime: long }))).toBe('leaf-node-lifetime')
    expect(await asked(await keyPackageOf(bob))).toBe('welcome-unknown-ref')
    const { welcomes: _, ...unwelcome } = ready.body
    expect(await ruleOf(create(alice, unwelcome))).toBe('welcome-members')
    const onlyBob = await begin(alice, await claimed(alice, [bob]))
    expect(await ruleOf(create(alice, { ...ready.body, welcomes: onlyBob.body['welcomes'] }))).toBe('welcome-members')
    const onlyCarol = await begin(alice, await claimed(alice, [carol]))
    for (const { body } of [ready, onlyCarol])
      expect(await ruleOf(create(alice, { ...onlyBob.body, welcomes: body['welcomes'], branch_of: idOf(group) }))).toBe('welcome-members')
    const bobs = await begin(bob, await claimed(bob, [alice, carol]))
    expect(await refusal(create(alice, { ...bobs.body, branch_of: idOf(group) }))).toMatchObject({ status: 403 })
    const other = utf8(randomUUID())
    const renamed = (state: ClientState): ClientState => ({ ...state, groupContext: { ...state.groupContext, groupId: other, epoch: 1n } })
    const branch = async (client: Client, state: ClientState) =>
      ruleOf(create(client, { ...(await shown(renamed(state))), welcomes: ready.body['welcomes'], branch_of: idOf(group) }))
    // Bob signs a group whose first leaf is Alice's, and Alice one with a gap, and one with Bob's leaf of a Commit.
    expect(await branch(bob, stateOf(at(bob, group)))).toBe('founding-leaves')
    await at(bob, group).update()
    await stage.sync(alice)
    expect(await branch(alice, stateOf(group))).toBe('founding-leaves')
    const gapped = await stage.group(alice, [bob, carol])
    await gapped.remove(bob.uri)
    expect(await branch(alice, stateOf(gapped))).toBe('founding-leaves')
    const [dave] = await stage.cast('dave') // too many leaves are not even looked at
    await gapped.add(dave.user, bob.user)
    await gapped.remove(carol.uri)
    expect(await branch(alice, stateOf(gapped))).toBe('founding-members')
  })

  it('where the tree, a leaf’s signature or the GroupInfo are not what they say', async () => {
    const { cast, ready } = await readyBranch()
    const [alice] = cast
    const { impl } = await suite(1)
    const { groupContext, ratchetTree } = ready.state
    const asked = async (other: Record<string, Uint8Array>) => ruleOf(create(alice, { ...ready.body, ...other }))
    const forged = ratchetTree.map((node, index) =>
      index === 2 && node?.nodeType === 'leaf' ? { ...node, leaf: { ...node.leaf, signature: new Uint8Array(64) } } : node,
    )
    expect(await asked({ ratchet_tree: encodeTree(forged) })).toBe('tree-hash')
    const vouched = { ...groupContext, treeHash: await treeHashRoot(forged, impl.hash) }
    expect(await asked(await shown({ ...ready.state, ratchetTree: forged, groupContext: vouched }))).toBe('leaf-node-signature')
    const { signKey: signaturePrivateKey } = await impl.signature.keygen()
    expect(await asked(await shown({ ...ready.state, signaturePrivateKey }))).toBe('group-info-signature')
  })

  it('of a group that is frozen', async () => {
    const { cast, group, ready } = await readyBranch()
    await cast[0].device.http.post(`${group.path}/reset`)
    expect(await refusal(create(cast[0], ready.body))).toMatchObject({ status: 409, kind: 'group-frozen' })
  })

  it('with a member of another provider, who is added by a Commit', async () => {
    const { cast, group } = await readyBranch()
    const [alice] = cast
    const { rows } = await stage.pool.query<{ id: bigint }>(
      `WITH a AS (INSERT INTO account (user_uri) VALUES ($1) RETURNING id)
       INSERT INTO device (account_id, client_uri) SELECT id, $2 FROM a RETURNING id`,
      [`mimi://elsewhere.example/u/${randomUUID()}`, 'mimi://elsewhere.example/d/erin/phone'],
    )
    await stage.pool.query('INSERT INTO member (device_id, gid, from_seq, join_epoch, acked) VALUES ($1, $2, 2, 1, 1)', [
      rows[0]!.id,
      await stage.gid(group),
    ])
    const foreign = await begin(alice, [await keyPackageOf(alice, { signer: 'nobody', identity: 'mimi://elsewhere.example/d/erin/phone' })])
    expect(await refusal(create(alice, { ...foreign.body, branch_of: idOf(group) }))).toMatchObject({ status: 403, kind: 'policy' })
  })
})

describe('the successor of a ReInit is refused at epoch 1', () => {
  it('with another group id, other extensions or another suite than the ReInit says', async () => {
    const { cast, group, wish } = await reinitialized()
    const [alice, bob, carol] = cast
    const asked = async (other: Wish) => {
      const { body } = await begin(alice, await claimed(alice, [bob, carol], other.suite), { ...wish, ...other })
      return ruleOf(create(alice, { ...body, successor_of: idOf(group) }))
    }
    expect(await asked({ groupId: utf8(randomUUID()) })).toBe('reinit-mismatch')
    expect(await asked({ extensions: [] })).toBe('reinit-mismatch')
    expect(await asked({ suite: 2 })).toBe('reinit-mismatch')
  })

  it('where it leaves out a member who is not on the way out', async () => {
    const { cast, group, wish } = await reinitialized()
    const [alice, bob, carol] = cast
    const asked = async () => create(alice, { ...(await begin(alice, await claimed(alice, [bob]), wish)).body, successor_of: idOf(group) })
    expect(await ruleOf(asked())).toBe('founding-members')
    await stage.pool.query('UPDATE device SET revoked_at = now() WHERE client_uri = $1', [carol.uri])
    expect(await asked()).toMatchObject({ epoch: 1 })
  })

  it('of a group that continues, or that was reset', async () => {
    const { cast, group, ready } = await readyBranch()
    const [alice] = cast
    const { branch_of: _, ...body } = ready.body
    const successor = { ...body, successor_of: idOf(group) }
    expect(await refusal(create(alice, successor))).toMatchObject({ status: 409, kind: 'no-predecessor' })
    await alice.device.http.post(`${group.path}/reset`)
    expect(await ruleOf(create(alice, successor))).toBe('group-info-epoch')
  })
})

describe('the writing of a group that begins with members', () => {
  it('takes nobody who is a member of the group before it no longer, and leaves nothing behind', async () => {
    const { cast, group } = await readyBranch()
    const [alice, bob, carol] = await Promise.all(cast.map((client) => stage.deviceId(client)))
    const wanted = (added: bigint[]) => ({
      ...newGroupOf(alice!),
      epoch: 1n,
      branchOf: idOf(group),
      added: added.map((deviceId) => ({ deviceId, welcome: 0 })),
      welcomes: [{ bytes: Uint8Array.of(1), expiresAt: new Date(Date.now() + 60_000) }],
    })
    await group.remove(cast[2].uri)
    const late = wanted([bob!, carol!])
    expect(await createGroup(stage.pool, late)).toEqual({ kind: 'members-changed' })
    expect((await stage.pool.query('SELECT FROM groups WHERE group_id = $1', [late.groupId])).rowCount).toBe(0)
    const made = await createGroup(stage.pool, wanted([bob!]))
    expect(made.kind).toBe('accepted')
    const { rows } = await stage.pool.query('SELECT device_id, from_seq, join_epoch FROM member WHERE gid = $1 ORDER BY device_id', [
      'gid' in made ? made.gid : 0n,
    ])
    expect(rows).toEqual([alice, bob].map((deviceId) => ({ device_id: deviceId, from_seq: 1n, join_epoch: 1n })))
  })
})
