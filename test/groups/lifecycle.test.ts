import { randomUUID } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { createGroup, type ClientState } from 'ts-mls'
import type { Client } from '../../examples/client/client.js'
import { groupInfo } from '../../examples/client/commits.js'
import type { Group } from '../../examples/client/group.js'
import { clientConfig, suite } from '../../examples/client/mls/suites.js'
import { encodeTree } from '../../examples/client/mls/tree.js'
import { toBase64Url, utf8 } from '../../examples/client/wire.js'
import { at, refusal, useStage } from './group-fixture.js'
import { groupInfoWithTree } from './hostile.js'

const stage = useStage()

interface Created {
  group_id: Uint8Array
  room: string
  epoch: number
  seq: number
  incarnation: number
  mode: string
  external_senders?: unknown[]
}

async function founding(client: Client, groupId = utf8(randomUUID())): Promise<{ state: ClientState; body: Record<string, unknown> }> {
  const { impl } = await suite(1)
  const own = await client.device.newKeyPackage(1)
  const state = await createGroup(groupId, own.public, own.private, [], impl, clientConfig)
  return { state, body: { group_info: await groupInfo(state, impl), ratchet_tree: encodeTree(state.ratchetTree) } }
}
const create = (client: Client, body: object) => client.device.http.post<Created>('/v1/groups', body)

describe('creating a group', () => {
  it('answers with its room and place, twice the same, and lists the groups of a device', async () => {
    const [alice] = await stage.cast('alice')
    const { body, state } = await founding(alice)
    const made = await create(alice, body)
    expect(made).toMatchObject({ group_id: state.groupContext.groupId, epoch: 0, seq: 0, incarnation: 1, mode: 'public' })
    expect(made.room).toMatch(/^mimi:\/\/localhost\/r\/[0-9a-f]{32}$/)
    expect(made.external_senders).toBeUndefined()
    expect(await create(alice, body)).toEqual(made)
    const second = await create(alice, (await founding(alice)).body)
    const page = async (query: string) =>
      alice.device.http.get<{ groups: { group_id: Uint8Array }[]; next?: string }>(`/v1/groups?${query}`)
    const first = await page('limit=1')
    expect(first.groups.map(({ group_id: id }) => id)).toEqual([made.group_id])
    expect((await page(`limit=1&after=${first.next}`)).groups.map(({ group_id: id }) => id)).toEqual([second.group_id])
  })

  it("says which of the server's keys it lists", async () => {
    const [alice] = await stage.cast('alice')
    const group = await alice.createGroup({ groupId: utf8(randomUUID()) })
    const { rows } = await stage.pool.query('SELECT external_join FROM group_policy WHERE gid = $1', [await stage.gid(group)])
    expect(rows).toEqual([{ external_join: 'none' }])
  })

  it('is refused with a tree of more than one leaf, before anything of it is hashed', async () => {
    const [alice] = await stage.cast('alice')
    const { body } = await founding(alice)
    const leaf = Buffer.from(body['ratchet_tree'] as Uint8Array)
    const blanks = vector(Buffer.concat([vectorContent(leaf), Buffer.of(0), vectorContent(leaf)]))
    expect(await refusal(create(alice, { ...body, ratchet_tree: blanks }))).toMatchObject({
      status: 422,
      document: { rule: 'one-founding-member' },
    })
  })

  it("is refused with another one's leaf, without the tree, with it inside, of another epoch, or taken", async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const { body, state } = await founding(alice)
    const { body: other } = await founding(alice)
    expect(await refusal(create(bob, body))).toMatchObject({ status: 403 })
    expect(await refusal(create(alice, { group_info: body['group_info'] }))).toMatchObject({
      status: 422,
      document: { rule: 'ratchet-tree-missing' },
    })
    expect(await refusal(create(alice, { ...body, ratchet_tree: other['ratchet_tree'] }))).toMatchObject({
      status: 422,
      document: { rule: 'tree-hash' },
    })
    expect(await refusal(create(alice, { ...body, group_info: await groupInfoWithTree(state, 1) }))).toMatchObject({
      status: 422,
      document: { rule: 'group-info-without-tree' },
    })
    const elsewhere = await groupInfoWithTree({ ...state, ratchetTree: (await founding(alice)).state.ratchetTree }, 1)
    expect(await refusal(create(alice, { ...body, mode: 'private', group_info: elsewhere }))).toMatchObject({
      status: 422,
      document: { rule: 'group-info-tree' },
    })
    expect(await refusal(create(alice, { ...body, policy: { external_join: 'code' } }))).toMatchObject({ status: 400 })
    expect(await refusal(create(alice, { ...body, room: 'Not A Room' }))).toMatchObject({ status: 400 })
    expect(await refusal(create(alice, { ...body, room: 'mimi://b.example/r/x' }))).toMatchObject({ status: 400, kind: 'wrong-domain' })
    expect(await refusal(create(alice, { ...body, group_info: Uint8Array.of(0, 1, 0, 4) }))).toMatchObject({
      status: 422,
      kind: 'undecodable',
    })
    const grown = await stage.group(alice, [bob])
    const late = await groupInfo({ ...grown.record.state }, (await suite(1)).impl)
    expect(await refusal(create(alice, { group_info: late, ratchet_tree: encodeTree(grown.record.state.ratchetTree) }))).toMatchObject({
      status: 422,
      document: { rule: 'group-info-epoch' },
    })
    await create(alice, body)
    const { body: same } = await founding(bob, state.groupContext.groupId)
    expect(await refusal(create(bob, same))).toMatchObject({ status: 409, kind: 'group-exists' })
  })
})

describe('a room', () => {
  it('has one current group, found by name or URI by those who were ever in it', async () => {
    const [alice, mallory] = await stage.cast('alice', 'mallory')
    const name = `team-${randomUUID().slice(0, 8)}`
    const made = await create(alice, { ...(await founding(alice)).body, room: name })
    expect(made.room).toBe(`mimi://localhost/r/${name}`)
    const room = (client: Client, reference: string) => client.device.http.get(`/v1/rooms/${encodeURIComponent(reference)}`)
    expect(await room(alice, name)).toEqual({ room: made.room, group_id: made.group_id })
    expect(await room(alice, made.room)).toEqual({ room: made.room, group_id: made.group_id })
    expect(await refusal(room(mallory, name))).toMatchObject({ status: 404 })
    expect(await refusal(create(alice, { ...(await founding(alice)).body, room: name }))).toMatchObject({ status: 409, kind: 'room-taken' })
    expect(await refusal(create(alice, { ...(await founding(alice)).body, room: 'mimi://elsewhere/r/x' }))).toMatchObject({ status: 400 })
  })
})

describe('a reset', () => {
  const reset = (client: Client, group: Group) => client.device.http.post(`${group.path}/reset`)
  const report = (client: Client, group: Group, seq: number) =>
    client.device.http.post(`${group.path}/reports`, { seq, reason: 'undecryptable' })

  it('by reports needs as many users as the policy says, not devices, not seqs', async () => {
    const [alice, bob, laptop, carol] = await stage.cast('alice', 'bob', 'bob/laptop', 'carol')
    const group = await stage.group(alice, [bob, laptop, carol], { policy: { reports_to_reset: 2, external_join: 'none' } })
    await group.update()
    expect(await report(bob, group, 2)).toEqual({ reports: 1, needed: 2 })
    expect(await report(laptop, group, 2)).toEqual({ reports: 1, needed: 2 })
    const welcome = { seq: 1, reason: 'bad-welcome' }
    expect(await carol.device.http.post(`${group.path}/reports`, welcome)).toEqual({ reports: 0, needed: 2 })
    expect(await refusal(reset(bob, group))).toMatchObject({ status: 403, kind: 'policy' })
    expect(await refusal(report(carol, group, 9))).toMatchObject({ status: 404 })
    expect(await report(carol, group, 2)).toEqual({ reports: 2, needed: 2 })
    await reset(bob, group)
    expect(await refusal(group.update())).toMatchObject({ status: 409, kind: 'group-frozen' })
  })

  it('has one successor, in the same room, with the same policy, bans and admins', async () => {
    const [alice, bob, mallory] = await stage.cast('alice', 'bob', 'mallory')
    const group = await stage.group(alice, [bob], { policy: { add_members: 'admins', external_join: 'none' } })
    const { body, state } = await founding(bob)
    const successor = { ...body, successor_of: group.record.groupId }
    expect(await refusal(create(bob, successor))).toMatchObject({ status: 409, kind: 'no-predecessor' })
    await alice.device.http.put(`${group.path}/bans/${mallory.user.split('/u/')[1]}`)
    await reset(alice, group)
    expect(await refusal(create(mallory, { ...(await founding(mallory)).body, successor_of: group.record.groupId }))).toMatchObject({
      status: 404,
    })
    // As if the time in which only admins may had passed.
    await stage.pool.query('UPDATE groups SET reserved_until = now() WHERE gid = $1', [await stage.gid(group)])
    expect(await refusal(create(bob, { ...successor, policy: { add_members: 'members' } }))).toMatchObject({ status: 403, kind: 'policy' })
    const race = await Promise.allSettled([
      create(bob, successor),
      create(alice, { ...(await founding(alice)).body, successor_of: group.record.groupId }),
    ])
    expect(race.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    const winner = race[0].status === 'fulfilled' ? { client: bob, id: state.groupContext.groupId } : undefined
    const view = await alice.device.http.get<{ successor: Uint8Array; room: string; frozen: string }>(group.path)
    if (winner) expect(view.successor).toEqual(winner.id)
    expect(view.frozen).toBe('reset')
    const policy = await (winner?.client ?? alice).device.http.get<{ add_members: string; admins: string[] }>(
      `/v1/groups/${toBase64Url(view.successor)}/policy`,
    )
    expect(policy.add_members).toBe('admins')
    expect(policy.admins).toEqual([alice.user])
  })
})

describe('a creation of a successor that is sent again', () => {
  it('is the same one for as long as it has the place, and takes it no second time after the reset was undone', async () => {
    const [alice] = await stage.cast('alice')
    const group = await stage.group(alice)
    const successor = { ...(await founding(alice)).body, successor_of: group.record.groupId }
    await alice.device.http.post(`${group.path}/reset`)
    const made = await create(alice, successor)
    expect(await create(alice, successor)).toEqual(made)
    await alice.device.http.delete(`${group.path}/reset`)
    await alice.device.http.post(`${group.path}/reset`)
    expect(await refusal(create(alice, successor))).toMatchObject({ status: 409, kind: 'group-exists' })
    expect(await alice.device.http.get(group.path)).not.toHaveProperty('successor')
  })
})

describe('a successor', () => {
  it('lets nobody in from outside whom the group before it had thrown out', async () => {
    const [alice, bob, mallory] = await stage.cast('alice', 'bob', 'mallory')
    const group = await stage.group(alice, [mallory], { policy: { external_join: 'open' } })
    await group.remove(mallory.uri)
    await alice.device.http.post(`${group.path}/reset`)
    const next = await stage.group(alice, [], { successorOf: group.record.groupId, policy: { external_join: 'open' } })
    const join = (client: Client) => client.joinExternally({ groupId: next.record.groupId, mode: 'public', suite: 1 })
    expect(await refusal(join(mallory))).toMatchObject({ status: 403, kind: 'policy' })
    await join(bob)
  })
})

describe('a deletion', () => {
  it('[I8] is for admins, says how much went, leaves nothing but a tombstone and a word to the members', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob])
    await group.update()
    await group.send('to be forgotten')
    const gid = await stage.gid(group)
    expect(await refusal(at(bob, group).delete())).toMatchObject({ status: 403 })
    expect(await group.delete()).toEqual({ deleted_entries: 3 })
    for (const table of ['log', 'welcome', 'group_info', 'group_tree', 'group_snapshot', 'member', 'commit_claim', 'group_policy']) {
      expect([table, (await stage.pool.query(`SELECT FROM ${table} WHERE gid = $1`, [gid])).rowCount]).toEqual([table, 0])
    }
    const { rows } = await stage.pool.query('SELECT device_id, kind FROM inbox WHERE gid = $1 ORDER BY device_id', [gid])
    expect(rows).toEqual([alice, bob].map(() => expect.objectContaining({ kind: 'group.deleted' })))
    for (const path of ['', '/policy', '/group-info', '/tree']) {
      expect(await refusal(alice.device.http.get(`${group.path}${path}`))).toMatchObject({ status: 410, kind: 'group-deleted' })
    }
    expect(await refusal(group.delete())).toMatchObject({ status: 410 })
  })
})

/** `opaque<V>` with a length header of two bytes (RFC 9420 §2.1.2): 64 to 16,383 bytes. */
function vector(content: Buffer): Buffer {
  return Buffer.concat([Buffer.of(0x40 | (content.length >> 8), content.length & 0xff), content])
}

function vectorContent(encoded: Buffer): Buffer {
  return encoded.subarray(2)
}
