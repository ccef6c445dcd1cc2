import { describe, expect, it } from '@jest/globals'
import type { Client } from '../../examples/client/client.js'
import type { Group } from '../../examples/client/group.js'
import { suite } from '../../examples/client/mls/suites.js'
import { at, refusal, useStage } from './group-fixture.js'
import { retagged } from './hostile.js'

const stage = useStage()

const join = (client: Client, group: Group, more: { resync?: boolean; joinCode?: string } = {}) =>
  client.joinExternally({ groupId: group.record.groupId, mode: group.record.mode, suite: group.record.suite, ...more })
const local = (client: Client) => client.user.split('/u/')[1]!
const put = (client: Client, group: Group, path: string, body: unknown = {}) => client.device.http.put(`${group.path}/${path}`, body)

describe.each(['public', 'private'] as const)('an external join of a %s group', (mode) => {
  it("is for devices that a present one has certified (same-user), and replaces one's own leaf on a resync", async () => {
    const [alice, laptop, bob] = await stage.cast('alice', 'alice/laptop', 'bob')
    const group = await stage.group(alice, [], { mode })
    const joined = await join(laptop, group)
    await stage.sync(alice)
    expect(joined.epochAuthenticator).toBe(group.epochAuthenticator)
    expect(await refusal(join(bob, group))).toMatchObject({ status: 404, kind: 'not-found' })
    // A device that is in has to replace its leaf: it may not get a second one, under the same key or another.
    expect(await refusal(join(laptop, group))).toMatchObject({ status: 422, document: { rule: 'leaf-node-signature-key' } })
    laptop.groups.clear()
    laptop.store.groups.clear()
    await join(laptop, group, { resync: true })
    await stage.sync(alice)
    expect(group.members.filter((member) => member === laptop.uri)).toHaveLength(1)
    expect(at(laptop, group).epochAuthenticator).toBe(group.epochAuthenticator)
    const { rows } = await stage.pool.query('SELECT ended FROM member WHERE device_id = $1 ORDER BY from_seq', [
      await stage.deviceId(laptop),
    ])
    expect(rows).toEqual([{ ended: 'resync' }, { ended: null }])
  })

  it('is no second leaf of a device under another of its keys', async () => {
    const [alice, laptop] = await stage.cast('alice', 'alice/laptop')
    const group = await stage.group(alice, [], { mode })
    await join(laptop, group)
    await stage.sync(alice)
    const { impl, scheme } = await suite(1)
    const another = await impl.signature.keygen()
    laptop.device.record.keys.set(1, another)
    const key = [await stage.deviceId(laptop), scheme, Buffer.from(another.publicKey)]
    await stage.pool.query('INSERT INTO signature_key (device_id, scheme, public_key) VALUES ($1, $2, $3)', key)
    expect(await refusal(join(laptop, group))).toMatchObject({ status: 422, document: { rule: 'one-leaf-per-client' } })
  })

  it('is for anyone where it is open, but neither for the banned nor for the removed', async () => {
    const [alice, bob, carol] = await stage.cast('alice', 'bob', 'carol')
    const group = await stage.group(alice, [], { mode, policy: { external_join: 'open' } })
    await join(bob, group)
    await stage.sync(alice)
    await group.remove(bob.uri)
    expect(await refusal(join(bob, group))).toMatchObject({ status: 403, kind: 'policy' })
    await put(alice, group, `bans/${local(carol)}`)
    expect(await refusal(join(carol, group))).toMatchObject({ status: 403, kind: 'policy' })
    await alice.device.http.delete(`${group.path}/bans/${local(carol)}`)
    await join(carol, group)
  })

  it('brings the GroupInfo of its own Commit, or is refused: a wrong one would keep the next joiner out', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [], { mode, policy: { external_join: 'open' } })
    const { http, record } = bob.device
    const post = http.post.bind(http)
    http.post = async <T>(path: string, body: unknown): Promise<T> => {
      const bundle = body as { group_info?: Uint8Array }
      const forged = bundle.group_info && (await retagged(bundle.group_info, record.keys.get(group.record.suite)!.signKey))
      return post<T>(path, forged ? { ...bundle, group_info: forged } : bundle)
    }
    expect(await refusal(join(bob, group))).toMatchObject({ status: 422, document: { rule: 'group-info-confirmation-tag' } })
  })

  it('asks for the code where there is one', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [], { mode, policy: { external_join: 'code', join_code: 'open sesame' } })
    const info = (code?: string) =>
      fetch(`${stage.server.url}${group.path}/group-info`, {
        headers: {
          ...bob.device.http.credentials('GET', `${stage.server.url}${group.path}/group-info`),
          ...(code ? { 'join-code': code } : {}),
        },
      })
    expect([(await info()).status, (await info('open sesami')).status, (await info('open sesame')).status]).toEqual([404, 404, 200])
  })

  it('is for nobody where it is off', async () => {
    const [alice, laptop] = await stage.cast('alice', 'alice/laptop')
    const group = await stage.group(alice, [], { mode, policy: { external_join: 'none' } })
    expect(await refusal(join(laptop, group))).toMatchObject({ status: 403, kind: 'policy' })
  })
})

describe('where admins add and remove', () => {
  it('a member may do neither, but bring its own devices and let go who is its own', async () => {
    const [alice, bob, laptop, carol] = await stage.cast('alice', 'bob', 'bob/laptop', 'carol')
    const group = await stage.group(alice, [], { policy: { add_members: 'admins', remove_members: 'admins', external_join: 'none' } })
    await group.add(bob.user)
    await stage.sync(bob, laptop)
    const bobs = at(bob, group)
    expect(await refusal(bobs.add(carol.user))).toMatchObject({ status: 403, kind: 'policy' })
    expect(await refusal(bobs.remove(alice.uri))).toMatchObject({ status: 403, kind: 'policy' })
    await bobs.remove(laptop.uri)
    await bobs.add(bob.user)
    await stage.sync(alice)
    expect(group.members).toEqual([alice.uri, bob.uri, laptop.uri])
  })

  it('an admin who was made one may', async () => {
    const [alice, bob, carol] = await stage.cast('alice', 'bob', 'carol')
    const group = await stage.group(alice, [bob], { policy: { add_members: 'admins', external_join: 'none' } })
    expect(await refusal(put(bob, group, `admins/${local(bob)}`))).toMatchObject({ status: 403 })
    expect(await refusal(put(alice, group, `admins/${local(carol)}`))).toMatchObject({ status: 404 })
    await put(alice, group, `admins/${encodeURIComponent(bob.user)}`)
    await at(bob, group).add(carol.user)
    await alice.device.http.delete(`${group.path}/admins/${local(alice)}`)
    expect(await refusal(bob.device.http.delete(`${group.path}/admins/${local(bob)}`))).toMatchObject({ status: 409 })
  })

  it('nobody may add who is banned', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice)
    await put(alice, group, `bans/${local(bob)}`)
    expect(await refusal(group.add(bob.user))).toMatchObject({ status: 403, kind: 'policy' })
  })
})

describe('the policy itself', () => {
  it('is read by members, changed by admins, and compared before it is set', async () => {
    const [alice, bob, mallory] = await stage.cast('alice', 'bob', 'mallory')
    const group = await stage.group(alice, [bob])
    const read = (client: Client) => client.device.http.get<Record<string, unknown>>(`${group.path}/policy`)
    expect(await read(bob)).toEqual({
      external_join: 'same-user',
      add_members: 'members',
      remove_members: 'members',
      reports_to_reset: 3,
      identities: 'any',
      version: 1,
      left_to_members: [],
      admins: [alice.user],
    })
    expect(await refusal(read(mallory))).toMatchObject({ status: 404, kind: 'not-found' })
    expect(await refusal(put(bob, group, 'policy', { add_members: 'admins' }))).toMatchObject({ status: 403 })
    expect(await refusal(put(alice, group, 'policy', { external_join: 'code' }))).toMatchObject({ status: 400 })
    expect(await refusal(put(alice, group, 'policy', { add_members: 'admins', version: 7 }))).toMatchObject({ status: 409 })
    await put(alice, group, 'policy', { add_members: 'admins', version: 1 })
    expect(await read(alice)).toMatchObject({ add_members: 'admins', version: 2, banned: [] })
  })

  it('says of a private group what its members have to enforce', async () => {
    const [alice] = await stage.cast('alice')
    const group = await stage.group(alice, [], { mode: 'private' })
    expect(await alice.device.http.get(`${group.path}/policy`)).toMatchObject({
      left_to_members: ['add_members', 'remove_members', 'reinit', 'extensions', 'psk', 'identities'],
    })
  })

  it('does not show the join code, nor keep it', async () => {
    const [alice] = await stage.cast('alice')
    const group = await stage.group(alice, [], { policy: { external_join: 'code', join_code: 'open sesame' } })
    expect(JSON.stringify(await alice.device.http.get(`${group.path}/policy`))).not.toContain('sesame')
    const { rows } = await stage.pool.query('SELECT * FROM group_policy WHERE gid = $1', [await stage.gid(group)])
    expect(
      Buffer.from(JSON.stringify(rows, (_key, value) => (typeof value === 'bigint' ? String(value) : value))).toString(),
    ).not.toContain('sesame')
  })
})
