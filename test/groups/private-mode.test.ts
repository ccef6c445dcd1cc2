import { describe, expect, it } from '@jest/globals'
import { encodeTree } from '../../examples/client/mls/tree.js'
import { decodeKeyPackageMessage } from '../../examples/client/mls/key-package-message.js'
import type { Pool, QueryConfig } from 'pg'
import { findGroupByGid } from '../../src/groups/repository/groups.repository.js'
import { StateCache } from '../../src/groups/state/state-cache.js'
import { StoredEpochs } from '../../src/groups/state/stored-epochs.js'
import { keyPackageRef } from '../../src/protocol/mls/hashes.js'
import { forgeWelcome } from '../support/mls/forge.js'
import { externalCommit, groupInfoWithTree, selfRemove } from './hostile.js'
import { at, draft, refusal, submit, useStage } from './group-fixture.js'

const stage = useStage()

/** The server's pool, and the names of what it was asked. */
function listeningPool(): { pool: Pool; asked: string[] } {
  const asked: string[] = []
  const query = (config: QueryConfig) => {
    asked.push(config.name ?? '')
    return stage.pool.query(config)
  }
  return { asked, pool: { query } as unknown as Pool }
}

describe('a private group', () => {
  it('adds whom the Welcomes are for, and keeps the claims with the Commit', async () => {
    const [alice, bob, carol] = await stage.cast('alice', 'bob', 'carol')
    const group = await stage.group(alice, [bob, carol], { mode: 'private', policy: { external_join: 'none' } })
    expect(at(bob, group).epochAuthenticator).toBe(group.epochAuthenticator)
    await group.remove(carol.uri)
    const gid = await stage.gid(group)
    const { rows: claims } = await stage.pool.query('SELECT seq, removed_clients, reinit FROM commit_claim WHERE gid = $1 ORDER BY seq', [
      gid,
    ])
    expect(claims).toEqual([
      { seq: 1n, removed_clients: [], reinit: false },
      { seq: 2n, removed_clients: [carol.uri], reinit: false },
    ])
    const { rows } = await stage.pool.query('SELECT until_seq, ended FROM member WHERE gid = $1 AND device_id = $2', [
      gid,
      await stage.deviceId(carol),
    ])
    expect(rows).toEqual([{ until_seq: 2n, ended: 'removed' }])
  })

  it('shows GroupInfo and tree only where external joins are on', async () => {
    const [alice] = await stage.cast('alice')
    const kept = async (policy: { external_join: 'none' | 'open' }) => {
      const group = await stage.group(alice, [], { mode: 'private', policy })
      // The client sends them in any case; what is not needed is not kept.
      const { bundle } = await draft(group, [], { externalJoin: true })
      await submit(alice, group, bundle)
      const gid = await stage.gid(group)
      const { rows } = await stage.pool.query<{ infos: bigint; trees: bigint }>(
        'SELECT (SELECT count(*) FROM group_info WHERE gid = $1 AND epoch = 1) AS infos, (SELECT count(*) FROM group_tree WHERE gid = $1) AS trees',
        [gid],
      )
      return rows[0]
    }
    expect(await kept({ external_join: 'none' })).toEqual({ infos: 0n, trees: 0n })
    expect(await kept({ external_join: 'open' })).toEqual({ infos: 1n, trees: 2n })
  })

  it('refuses Welcomes to KeyPackages that it never handed out, and claims about those who are not in it: 422', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [], { mode: 'private', policy: { external_join: 'none' } })
    const own = await bob.device.newKeyPackage(1)
    const { bundle } = await draft(group, [{ proposalType: 'add', add: { keyPackage: own.public } }])
    expect(await refusal(submit(alice, group, bundle))).toMatchObject({ status: 422, document: { rule: 'welcome-unknown-ref' } })
    const { bundle: empty } = await draft(group)
    for (const [removed, rule] of [
      [bob.uri, 'remove-member'],
      ['mimi://localhost/d/nobody/phone', 'remove-member'],
      [alice.uri, 'remove-committer'],
    ]) {
      expect(await refusal(submit(alice, group, { ...empty, removed: [removed] }))).toMatchObject({ status: 422, document: { rule } })
    }
  })

  it("asks for a GroupInfo and a tree that fit together and are the committer's, where external joins are on", async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob], { mode: 'private' })
    const { bundle } = await draft(group)
    const { bundle: other, next } = await draft(group)
    const { bundle: bobs } = await draft(at(bob, group))
    const rule = async (changed: Record<string, unknown>) => (await refusal(submit(alice, group, changed))).document['rule']
    const { commit, group_info: groupInfo, ratchet_tree: tree } = bundle
    expect(await rule({ commit, ratchet_tree: tree })).toBe('group-info-missing')
    expect(await rule({ commit, group_info: groupInfo })).toBe('ratchet-tree-missing')
    expect(await rule({ ...bundle, ratchet_tree: encodeTree(next.ratchetTree) })).toBe('tree-hash')
    expect(await refusal(submit(alice, group, { ...bundle, group_info: bobs.group_info, ratchet_tree: bobs.ratchet_tree }))).toMatchObject({
      status: 403,
    })
    expect(other.commit).not.toEqual(bundle.commit)
    await submit(alice, group, bundle)
  })

  it('serves the tree that a GroupInfo has inside, if it has one, and no other, also for a join from outside', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [], { mode: 'private', policy: { external_join: 'open' } })
    const { bundle, next } = await draft(group)
    const other = { ...next, ratchetTree: group.record.state.ratchetTree }
    const mismatch = { status: 422, document: { rule: 'group-info-tree', section: '12.4.3.3' } }
    expect(await refusal(submit(alice, group, { ...bundle, group_info: await groupInfoWithTree(other, 1) }))).toMatchObject(mismatch)
    await submit(alice, group, { ...bundle, group_info: await groupInfoWithTree(next, 1) })

    const join = await externalCommit(bob, await alice.device.http.get<{ group_info: Uint8Array }>(`${group.path}/group-info`))
    const stale = { ...join.state, ratchetTree: next.ratchetTree }
    expect(await refusal(submit(bob, group, { commit: join.commit, group_info: await groupInfoWithTree(stale, 1) }))).toMatchObject(
      mismatch,
    )
    await submit(bob, group, { commit: join.commit, group_info: await groupInfoWithTree(join.state, 1) })
  })

  it('looks into a tree for members only', async () => {
    const [alice, mallory] = await stage.cast('alice', 'mallory')
    const group = await stage.group(alice, [], { mode: 'private' })
    const broken = { ...(await draft(group)).bundle, ratchet_tree: Uint8Array.of(1) }
    expect(await refusal(submit(mallory, group, broken))).toMatchObject({ status: 404, kind: 'not-found' })
    expect(await refusal(submit(alice, group, broken))).toMatchObject({ status: 422, kind: 'undecodable' })
  })

  it('refuses Welcomes that nobody can open: for nobody, with a wrong kem_output, with no room for a GroupInfo', async () => {
    const [alice] = await stage.cast('alice')
    const group = await stage.group(alice, [], { mode: 'private', policy: { external_join: 'none' } })
    const { bundle } = await draft(group)
    const ref = new Uint8Array(32)
    for (const [welcome, rule] of [
      [forgeWelcome([]), 'welcome-empty'],
      [forgeWelcome([ref], 1, 31), 'welcome-kem-output'],
      [forgeWelcome([ref], 1, 32, 15), 'welcome-group-info'],
      [forgeWelcome([ref], 1, 32, 16), 'welcome-unknown-ref'],
    ] as const)
      expect(await refusal(submit(alice, group, { ...bundle, welcomes: [welcome] }))).toMatchObject({ status: 422, document: { rule } })
  })

  it('knows of a wish to leave until the device is said to be out: nobody adds it again before', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob], { mode: 'private', policy: { external_join: 'none' } })
    await bob.device.http.post(`${group.path}/leave`)
    const leaving = async () => (await alice.device.http.get<{ leaving?: string[] }>(group.path)).leaving
    const { key_packages: claimed } = await alice.device.claim(bob.user, 1)
    const ref = keyPackageRef(1, claimed[0]!.key_package.slice(4))!
    const again = submit(alice, group, { ...(await draft(group)).bundle, welcomes: [forgeWelcome([ref])] })
    expect(await refusal(again)).toMatchObject({ status: 422, document: { rule: 'one-leaf-per-client' } })
    expect(await leaving()).toEqual([bob.uri])
    await group.update()
    expect(await leaving()).toBeUndefined()
  })

  it('takes handshakes of members as PrivateMessages only, a public group as PublicMessages only', async () => {
    const [alice] = await stage.cast('alice')
    const hidden = await stage.group(alice, [], { mode: 'private' })
    const open = await stage.group(alice, [])
    const crossed = async (group: typeof open, mode: 'public' | 'private') => draft(group, [], { mode })
    const refused = { status: 422, kind: 'invalid-commit', document: { rule: 'wire-format-of-mode', section: '6' } }
    expect(await refusal(submit(alice, hidden, (await crossed(hidden, 'public')).bundle))).toMatchObject(refused)
    expect(await refusal(submit(alice, open, (await crossed(open, 'private')).bundle))).toMatchObject(refused)
  })

  it('is hashed once in each epoch, however many small requests need its tree, and knows what was proposed since', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob], { mode: 'private' })
    const row = async () => (await findGroupByGid(stage.pool, await stage.gid(group)))!
    const { pool, asked } = listeningPool()
    const epochs = new StoredEpochs(pool, new StateCache(), stage.trees)
    const before = await row()
    const [first, second] = await Promise.all([epochs.of(before), epochs.of(before)])
    const { tree } = first
    expect(second.tree).toBe(tree)
    expect(asked.filter((name) => name === 'find_tree')).toHaveLength(1)

    const proposal = await selfRemove(at(bob, group))
    await bob.device.http.post(`${group.path}/proposals`, { proposal })
    for (const repeated of [await epochs.of(before), await epochs.of(before)]) {
      expect([repeated.tree === tree, repeated.pending.size]).toEqual([true, 1])
    }
    expect(asked.filter((name) => name === 'find_tree')).toHaveLength(1)

    await stage.sync(alice)
    await group.update()
    const after = await epochs.of(await row())
    expect([after.groupContext.epoch, after.pending.size]).toEqual([before.epoch + 1n, 0])
  })

  it('gives the device that it adds twice one interval each', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob], { mode: 'private', policy: { external_join: 'none' } })
    await group.remove(bob.uri)
    const { key_packages: claimed } = await alice.device.claim(bob.user, 1)
    await group.commit(() => [{ proposalType: 'add', add: { keyPackage: decodeKeyPackageMessage(claimed[0]!.key_package) } }], 1)
    const { rows } = await stage.pool.query('SELECT from_seq, until_seq FROM member WHERE device_id = $1 ORDER BY from_seq', [
      await stage.deviceId(bob),
    ])
    expect(rows).toEqual([
      { from_seq: 2n, until_seq: 2n },
      { from_seq: 4n, until_seq: null },
    ])
  })
})
