import { createHash, randomBytes, randomInt } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import type { Group } from '../../examples/client/group.js'
import { Retention } from '../../src/delivery/retention/retention.job.js'
import { writeAcks } from '../../src/delivery/acks/acks.repository.js'
import { Snapshots } from '../../src/groups/state/snapshots.job.js'
import { Metrics } from '../../src/platform/observability/metrics.js'
import { at, refusal, submit, useStage } from '../groups/group-fixture.js'

const KIB = 1024
const GROUP = 512 * KIB
const ACCOUNT = 1024 * KIB
const stage = useStage({ GROUP_MAX_BYTES: '512KiB', ACCOUNT_MAX_BYTES: '1MiB', ACCOUNT_MAX_GROUPS: '6', ACCOUNT_DAILY_BYTES: '1GiB' })
const HIDDEN = { mode: 'private', policy: { external_join: 'none' } } as const

async function heldBy(group: Group): Promise<{ counted: number; truly: number }> {
  const { rows } = await stage.pool.query<{ counted: bigint; truly: bigint }>(
    'SELECT bytes AS counted, held_bytes(gid) AS truly FROM groups WHERE group_id = $1',
    [group.record.groupId],
  )
  return { counted: Number(rows[0]!.counted), truly: Number(rows[0]!.truly) }
}
async function expectTrueCount(...groups: readonly Group[]): Promise<void> {
  for (const group of groups) {
    const { counted, truly } = await heldBy(group)
    expect(counted).toBe(truly)
  }
}

/** A Commit that nobody can read (RFC 9420 §6.3): the server cannot tell, and members find out. */
function garbage(group: Group, epoch: number, bytes: number): Buffer {
  const { groupId } = group.record
  const ends = Buffer.alloc(8)
  ends.writeBigUInt64BE(BigInt(epoch))
  const opaque = (content: Uint8Array) => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE((0x80000000 | content.length) >>> 0)
    return content.length < 64 ? Buffer.concat([Buffer.of(content.length), content]) : Buffer.concat([length, content])
  }
  const head = Buffer.concat([Buffer.of(0, 1, 0, 2), opaque(groupId), ends, Buffer.of(3), opaque(Buffer.alloc(0))])
  return Buffer.concat([head, opaque(randomBytes(28)), opaque(randomBytes(bytes))])
}

const fill = async (group: Group, bytes: number) => {
  for (let left = bytes; left > 0; left -= 100 * KIB) await group.send('x'.repeat(Math.min(left, 100 * KIB)))
}

describe('the bytes of a group', () => {
  it('cannot be filled with Commits that nobody reads: they are refused, with what is used and allowed', async () => {
    const [mallory] = await stage.cast('mallory')
    const group = await stage.group(mallory, [], HIDDEN)
    const commit = (n: number) => submit(mallory, group, { commit: garbage(group, n, 100 * KIB) })
    let accepted = 0
    while (accepted < 6) await commit(accepted++)
    const refused = await refusal(commit(accepted))
    expect(refused).toMatchObject({ status: 413, kind: 'storage-full', document: { of: 'group', allowed: GROUP * 1.25 } })
    const { values } = await stage.server.app.get(Metrics, { strict: false }).limitsRefused.get()
    expect(values.find(({ labels }) => labels['limit'] === 'group-storage')?.value).toBeGreaterThan(0)
    expect(refused.document['used']).toBe((await heldBy(group)).truly)
  })

  it.each(['public', 'private'] as const)('end messages of a %s group before they end Commits: who fills it is removed', async (mode) => {
    const [alice, mallory] = await stage.cast('alice', 'mallory')
    const group = await stage.group(alice, [mallory], { mode })
    await expect(fill(at(mallory, group), 2 * GROUP)).rejects.toMatchObject({ status: 413, kind: 'storage-full' })
    const refused = await refusal(at(mallory, group).send('x'.repeat(50 * KIB)))
    expect(refused.document).toMatchObject({ of: 'group', allowed: GROUP })
    await stage.sync(alice)
    await group.remove(mallory.uri)
    await expectTrueCount(group)
    // Retention makes room again: Alice has read all, and Mallory's time is over.
    await stage.server.app.get(Retention, { strict: false }).run(new Date(Date.now() + 32 * 86_400_000))
    await expectTrueCount(group)
    await group.send('there is room')
  })

  it('go with the group', async () => {
    const [alice] = await stage.cast('alice')
    const group = await stage.group(alice)
    await fill(group, 200 * KIB)
    await alice.device.http.delete(group.path)
    expect(await heldBy(group)).toEqual({ counted: 0, truly: 0 })
  })

  it('are counted as they are after whatever happened', async () => {
    const seed = randomInt(2 ** 31)
    const [alice, bob, carol] = await stage.cast('alice', 'bob', 'carol')
    const modes = [{}, HIDDEN, { mode: 'private' }] as const
    for (const [index, mode] of modes.entries()) {
      const group = await stage.group(alice, [bob], mode)
      for (let step = 0; step < 12; step++) {
        const kind = createHash('sha256').update(`${seed} ${index} ${step}`).digest()[0]! % 5
        await stage.sync(alice, bob)
        if (kind === 0) await group.update()
        if (kind === 1) await at(bob, group).update()
        if (kind === 2) await group.send(`message ${step}`.repeat(step + 1))
        if (kind === 3) await at(bob, group).send('hello')
        if (kind === 4) await stage.server.app.get(Snapshots, { strict: false }).take(await stage.gid(group), true)
        await expectTrueCount(group)
      }
      await stage.sync(alice, bob)
      await group.add(carol.user)
      await stage.sync(carol)
      await expectTrueCount(group)
      const gid = await stage.gid(group)
      const { rows } = await stage.pool.query<{ head_seq: bigint }>('SELECT head_seq FROM groups WHERE gid = $1', [gid])
      const acks = await Promise.all(
        [alice, bob, carol].map(async (one) => ({ deviceId: await stage.deviceId(one), gid, incarnation: 1, seq: rows[0]!.head_seq })),
      )
      await writeAcks(stage.pool, acks, false)
      for (const days of [2, 32, 100]) {
        await stage.server.app.get(Retention, { strict: false }).run(new Date(Date.now() + days * 86_400_000))
        await expectTrueCount(group)
      }
    }
  })
})

describe('the bytes of an account', () => {
  it('are those of all groups that it created; it gets room by deleting some, and the others learn nothing of it', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const groups = [await stage.group(alice, [bob]), await stage.group(alice), await stage.group(alice)]
    for (const group of groups) await fill(group, 380 * KIB)
    expect((await refusal(stage.group(alice))).document).toMatchObject({
      type: expect.stringContaining('storage-full'),
      of: 'account',
      allowed: ACCOUNT,
    })
    expect((await refusal(groups[1]!.update())).document).toMatchObject({ of: 'account', used: expect.any(Number), allowed: ACCOUNT })
    await stage.sync(bob)
    const told = await refusal(at(bob, groups[0]!).update())
    expect(told.document).toMatchObject({ of: 'account' })
    expect(Object.keys(told.document)).not.toEqual(expect.arrayContaining(['used']))
    // Messages go on until retention has looked, and then no more.
    await groups[1]!.send('hello')
    const retention = stage.server.app.get(Retention, { strict: false })
    await retention.run()
    expect((await refusal(groups[2]!.send('hello'))).document).toMatchObject({ of: 'account', allowed: ACCOUNT })
    // Of full groups members are still removed.
    await stage.sync(alice)
    await groups[0]!.remove(bob.uri)
    await alice.device.http.delete(groups[1]!.path)
    // At once, and not when retention looks again.
    await groups[2]!.send('hello')
    await groups[2]!.update()
    await stage.group(alice)
  })

  it('are shown to it, with its other quotas', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const small = await stage.group(alice)
    const large = await stage.group(alice, [bob])
    await fill(large, 100 * KIB)
    const usage = await alice.device.http.get<Record<string, { used: number; allowed: number }> & { largest: { used: number }[] }>(
      '/v1/me/usage',
    )
    const kept = [(await heldBy(large)).truly, (await heldBy(small)).truly]
    expect(usage['storage']).toEqual({ used: kept[0]! + kept[1]!, allowed: ACCOUNT })
    expect(usage.largest.map(({ used }) => used)).toEqual(kept)
    expect(usage['groups']).toEqual({ used: 2, allowed: 6 })
    expect(usage['submitted']!.used).toBeGreaterThan(100 * KIB)
    expect(usage['submitted']!.allowed).toBe(1024 ** 3)
    const { rows } = await stage.pool.query<{ kept: bigint }>('SELECT count(*) AS kept FROM key_package WHERE device_id = $1', [
      await stage.deviceId(alice),
    ])
    expect(usage['key_packages']!.used).toBe(Number(rows[0]!.kept))
    const others = await bob.device.http.get<typeof usage>('/v1/me/usage')
    expect([others['storage']!.used, others.largest]).toEqual([0, []])
  })

  it('are nobody else’s: a group of another account takes what it wants', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    for (let n = 0; n < 3; n++) await fill(await stage.group(alice), 380 * KIB)
    const group = await stage.group(bob, [alice])
    await at(alice, group).update()
    await at(alice, group).send('hello')
  })

  it('are in so many groups at most', async () => {
    const [alice] = await stage.cast('alice')
    const groups = []
    for (let n = 0; n < 6; n++) groups.push(await stage.group(alice))
    expect((await refusal(stage.group(alice))).document).toMatchObject({ of: 'groups', used: 6, allowed: 6 })
    await alice.device.http.delete(groups[0]!.path)
    await stage.group(alice)
  })
})

describe('the trees of a private group with external joins', () => {
  const epochsOf = async (group: Group) => {
    const { rows } = await stage.pool.query<{ epoch: bigint }>('SELECT epoch FROM group_tree WHERE gid = $1 ORDER BY epoch', [
      await stage.gid(group),
    ])
    return rows.map(({ epoch }) => Number(epoch))
  }

  it('are those of the newest four epochs, and those for which a Welcome waits', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [], { mode: 'private' })
    await group.update()
    await group.add(bob.user)
    for (let n = 0; n < 8; n++) await group.update()
    expect(await epochsOf(group)).toEqual([2, 7, 8, 9, 10])
    // Bob's tree is there when he comes.
    await bob.device.http.get(`${group.path}/tree?epoch=2`)
    await stage.sync(bob)
    await stage.server.app.get(Retention, { strict: false }).run()
    expect(await epochsOf(group)).toEqual([7, 8, 9, 10])
    await expectTrueCount(group)
    expect(at(bob, group).epoch).toBe(10)
  })
})
