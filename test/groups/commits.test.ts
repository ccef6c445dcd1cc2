import { describe, expect, it } from '@jest/globals'
import type { Proposal } from 'ts-mls'
import type { KeyPackage } from 'ts-mls/keyPackage.js'
import type { Client } from '../../examples/client/client.js'
import { mergePending } from '../../examples/client/entries.js'
import { decodeKeyPackageMessage } from '../../examples/client/mls/key-package-message.js'
import { suite as suiteOf } from '../../examples/client/mls/suites.js'
import { groupInfoWithTree } from './hostile.js'
import { at, draft, refusal, submit, useStage } from './group-fixture.js'

const stage = useStage({ MAX_COMMIT_BYTES: '32KiB', MAX_GROUP_INFO_BYTES: '16KiB', MAX_TREE_BYTES: '32KiB' })

async function addOf(by: Client, target: Client, suite = 1): Promise<Proposal> {
  const { key_packages: claimed } = await by.device.claim(target.user, suite)
  return { proposalType: 'add', add: { keyPackage: decodeKeyPackageMessage(claimed[0]!.key_package) } }
}

describe('a Commit that is accepted', () => {
  it.each([1, 2])('moves the group to the next epoch and brings its Welcome, suite %i', async (suite) => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob], { suite })
    expect(group.epoch).toBe(1)
    expect(at(bob, group).epochAuthenticator).toBe(group.epochAuthenticator)
    expect(await stage.log(group)).toEqual(['c0'])
  })

  it('is answered with its place in the log, again and again: stale, removed, frozen; after a deletion no more', async () => {
    const [alice, bob, carol] = await stage.cast('alice', 'bob', 'carol')
    const group = await stage.group(alice, [bob, carol], { policy: { external_join: 'none' } })
    const mine = await draft(at(bob, group))
    const first = await submit(bob, group, mine.bundle)
    expect(first).toMatchObject({ seq: 2, epoch: 2, incarnation: 1 })
    expect(await submit(bob, group, mine.bundle)).toEqual(first)
    await stage.sync(alice)
    await group.remove(bob.uri)
    expect(await submit(bob, group, mine.bundle)).toEqual(first)
    await alice.device.http.post(`${group.path}/reset`)
    expect(await submit(bob, group, mine.bundle)).toEqual(first)
    await group.delete()
    expect(await refusal(submit(bob, group, mine.bundle))).toMatchObject({ status: 410, kind: 'group-deleted' })
  })

  it('gives its acceptance to members only, though others may hold its bytes', async () => {
    const [alice, mallory] = await stage.cast('alice', 'mallory')
    const group = await stage.group(alice)
    const mine = await draft(group)
    await submit(alice, group, mine.bundle)
    expect(await refusal(submit(mallory, group, mine.bundle))).toMatchObject({ status: 404, kind: 'not-found' })
  })
})

describe('a Commit that comes too late', () => {
  it('gets the epoch and the handshakes it missed, so that it can continue', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob])
    const late = await draft(at(bob, group))
    await group.update()
    await group.send('not a handshake')
    await group.update()
    const { status, kind, document } = await refusal(submit(bob, group, late.bundle))
    expect([status, kind, document['current_epoch']]).toEqual([409, 'stale-epoch', 3])
    const entries = document['entries'] as { seq: number; kind: string; epoch: number }[]
    expect(entries.map(({ seq, kind: of, epoch }) => [seq, of, epoch])).toEqual([
      [2, 'commit', 1],
      [4, 'commit', 2],
    ])
    await at(bob, group).receive(document['entries'] as never)
    expect(at(bob, group).epochAuthenticator).toBe(group.epochAuthenticator)
  })

  it('learns nothing from before it joined', async () => {
    const [alice, bob, carol] = await stage.cast('alice', 'bob', 'carol')
    const group = await stage.group(alice, [bob])
    const old = await draft(at(bob, group))
    await stage.sync(bob)
    await group.add(carol.user)
    await stage.sync(bob, carol)
    // Carol, who joined by seq 2, sends what Bob built for epoch 1: she never saw that epoch.
    const { document } = await refusal(submit(carol, group, old.bundle))
    expect(document['entries']).toEqual([])
  })

  it('of an epoch to come is refused, too', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob])
    const first = await draft(group)
    group.record.pending = first
    mergePending(group.record)
    const second = await draft(group)
    expect(await refusal(submit(alice, group, second.bundle))).toMatchObject({
      status: 409,
      kind: 'epoch-ahead',
      document: { current_epoch: 1 },
    })
  })
})

describe('a Commit is refused', () => {
  it("of a leaf that is not the submitting device's: 403", async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob])
    const { bundle } = await draft(group)
    expect(await refusal(submit(bob, group, bundle))).toMatchObject({ status: 403, kind: 'forbidden' })
    expect(await stage.log(group)).toEqual(['c0'])
  })

  it.each([
    ['was revoked', 'revoked_at = now()'],
    ['has expired', 'valid_until = now()'],
    ['is not valid yet', "valid_from = now() + interval '1 hour'"],
  ])('of a leaf whose signature key %s: 403', async (_, change) => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob])
    const { bundle } = await draft(group)
    await stage.pool.query(`UPDATE signature_key SET ${change} WHERE device_id = $1`, [await stage.deviceId(alice)])
    expect(await refusal(submit(alice, group, bundle))).toMatchObject({
      status: 403,
      kind: 'forbidden',
      document: { detail: "The leaf's signature key is not registered for this device." },
    })
    expect(await stage.log(group)).toEqual(['c0'])
    await submit(bob, group, (await draft(at(bob, group))).bundle)
  })

  it('if anything in the bundle does not decode as a whole: 422', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice)
    const { bundle } = await draft(group, [await addOf(alice, bob)])
    const longer = (bytes: Uint8Array) => Uint8Array.of(...bytes, 0)
    const broken: Record<string, unknown>[] = [
      { ...bundle, commit: longer(bundle.commit) },
      { ...bundle, commit: bundle.commit.subarray(0, -1) },
      { ...bundle, commit: bundle.group_info },
      { ...bundle, welcomes: [longer(bundle.welcomes![0]!)] },
      { ...bundle, welcomes: [bundle.commit] },
      { ...bundle, group_info: longer(bundle.group_info!) },
      { ...bundle, ratchet_tree: Uint8Array.of(1, 2, 3) },
    ]
    for (const one of broken) expect(await refusal(submit(alice, group, one))).toMatchObject({ status: 422, kind: 'undecodable' })
    expect(await refusal(submit(alice, group, { ...bundle, surprise: true }))).toMatchObject({ status: 400, kind: 'invalid-request' })
    expect(await stage.log(group)).toEqual([])
  })

  it('if anything is larger than configured: 413', async () => {
    const [alice] = await stage.cast('alice')
    const group = await stage.group(alice)
    const { bundle } = await draft(group)
    const large = new Uint8Array(33 * 1024)
    for (const part of [
      { commit: large },
      { welcomes: [large.subarray(0, 17 * 1024), large.subarray(0, 17 * 1024)] },
      { group_info: large },
      { ratchet_tree: large },
    ]) {
      expect(await refusal(submit(alice, group, { ...bundle, ...part }))).toMatchObject({ status: 413, kind: 'too-large' })
    }
  })

  it("for another group than the path's: 422", async () => {
    const [alice] = await stage.cast('alice')
    const [one, other] = [await stage.group(alice), await stage.group(alice)]
    expect(await refusal(submit(alice, other, (await draft(one)).bundle))).toMatchObject({ status: 422, kind: 'undecodable' })
  })

  it('to a group that does not exist: 404', async () => {
    const [alice] = await stage.cast('alice')
    const group = await stage.group(alice)
    const { bundle } = await draft(group)
    await stage.pool.query('UPDATE groups SET group_id = $2 WHERE group_id = $1', [group.record.groupId, Buffer.from('elsewhere')])
    expect(await refusal(submit(alice, group, bundle))).toMatchObject({ status: 404 })
  })

  it('without the GroupInfo that external joins need, with one of another epoch, or with a tree inside: 422', async () => {
    const [alice] = await stage.cast('alice')
    const group = await stage.group(alice)
    const { bundle, next } = await draft(group)
    const { group_info: groupInfo, ...bare } = bundle
    expect(await refusal(submit(alice, group, bare))).toMatchObject({ status: 422, document: { rule: 'group-info-missing' } })
    const { bundle: other } = await draft(group)
    expect(await refusal(submit(alice, group, { ...bundle, group_info: other.group_info }))).toMatchObject({
      status: 422,
      kind: 'invalid-commit',
    })
    expect(groupInfo).toBeDefined()
    expect(await refusal(submit(alice, group, { ...bundle, group_info: await groupInfoWithTree(next, 1) }))).toMatchObject({
      status: 422,
      document: { rule: 'group-info-without-tree', detail: expect.stringContaining('make it without one (docs/interop.md') },
    })
  })

  it('whose Welcomes are not those of its Adds: 422', async () => {
    const [alice, bob, carol] = await stage.cast('alice', 'bob', 'carol')
    const group = await stage.group(alice)
    const { bundle } = await draft(group, [await addOf(alice, bob)])
    const { bundle: other } = await draft(group, [await addOf(alice, carol)])
    for (const welcomes of [[], other.welcomes, [...bundle.welcomes!, ...other.welcomes!], [...bundle.welcomes!, ...bundle.welcomes!]]) {
      expect(await refusal(submit(alice, group, { ...bundle, welcomes }))).toMatchObject({
        status: 422,
        document: { rule: 'welcome-members' },
      })
    }
  })

  it('that adds a client nobody knows, a revoked one, one whose key is not registered, or one that is in already: 422', async () => {
    const [alice, bob, laptop] = await stage.cast('alice', 'bob', 'bob/laptop')
    const group = await stage.group(alice)
    const stranger = await bob.device.newKeyPackage(1)
    const rule = async (keyPackage: typeof stranger.public) => {
      const { bundle } = await draft(group, [{ proposalType: 'add', add: { keyPackage } }])
      return (await refusal(submit(alice, group, bundle))).document['rule']
    }
    await stage.pool.query('UPDATE signature_key SET revoked_at = now() WHERE device_id = $1', [await stage.deviceId(bob)])
    expect(await rule(stranger.public)).toBe('credential-key')
    await stage.pool.query('UPDATE device SET revoked_at = now() WHERE id = $1', [await stage.deviceId(laptop)])
    expect(await rule((await laptop.device.newKeyPackage(1)).public)).toBe('credential-revoked')
    await stage.pool.query('UPDATE device SET client_uri = client_uri || $2 WHERE id = $1', [await stage.deviceId(bob), 'gone'])
    expect(await rule(stranger.public)).toBe('credential-unknown')
    expect(await rule(await secondLeafOf(alice))).toBe('one-leaf-per-client')
  })
})

/** The same device again, by another key that is registered for it. */
async function secondLeafOf(client: Client): Promise<KeyPackage> {
  const { keys } = client.device.record
  const key = await (await suiteOf(1)).impl.signature.keygen()
  const before = keys.get(1)!
  await stage.pool.query('INSERT INTO signature_key (device_id, scheme, public_key) VALUES ($1, 2055, $2)', [
    await stage.deviceId(client),
    key.publicKey,
  ])
  keys.set(1, key)
  const made = await client.device.newKeyPackage(1)
  keys.set(1, before)
  return made.public
}
