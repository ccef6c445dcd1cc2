import { describe, expect, it } from '@jest/globals'
import type { Client } from '../../examples/client/client.js'
import type { Group } from '../../examples/client/group.js'
import { insertExternalSenderKey, readExternalSenderKeys } from '../../src/groups/external-sender/external-sender.repository.js'
import { ExternalSenders } from '../../src/groups/external-sender/external-senders.js'
import { RevokedDeviceRemovals } from '../../src/groups/removal/revoked-device-removals.js'
import { startServer } from '../support/server.js'
import { eventually } from '../support/eventually.js'
import { GENEROUS } from '../support/world.js'
import { at, draft, refusal, submit, useStage } from './group-fixture.js'

const stage = useStage()

const leave = (client: Client, group: Group) => client.device.http.post<{ proposed: boolean }>(`${group.path}/leave`)
const pending = async (group: Group) => {
  const { rows } = await stage.pool.query<{ reason: string; leaf_index: number | null; proposed_epoch: bigint | null }>(
    'SELECT reason, leaf_index, proposed_epoch FROM pending_removal WHERE gid = $1',
    [await stage.gid(group)],
  )
  return rows
}
/** Neither the server nor a client may see a Remove for a leaf that is not there. */
const proposalsOf = (group: Group) => Object.keys(group.record.state.unappliedProposals).length

describe.each([1, 2])('leaving a public group, suite %i', (suite) => {
  it('has the server propose a Remove, once, which another member commits', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob], { suite })
    expect(await leave(bob, group)).toEqual({ proposed: true })
    expect(await leave(bob, group)).toEqual({ proposed: true })
    expect(await stage.log(group)).toEqual(['c0', 'p1'])
    expect(await alice.device.http.get(group.path)).toMatchObject({ leaving: [bob.uri] })
    await stage.sync(alice)
    expect(proposalsOf(group)).toBe(1)
    await group.settle()
    expect(group.members).toEqual([alice.uri])
    expect(await pending(group)).toEqual([])
    const { rows } = await stage.pool.query('SELECT ended FROM member WHERE device_id = $1', [await stage.deviceId(bob)])
    expect(rows).toEqual([{ ended: 'left' }])
  })
})

describe('a Remove that is due', () => {
  it('cannot be left out by a member of a public group: 409 with the proposals', async () => {
    const [alice, bob, carol] = await stage.cast('alice', 'bob', 'carol')
    const group = await stage.group(alice, [bob, carol])
    const { bundle } = await draft(group)
    await leave(bob, group)
    const { status, kind, document } = await refusal(submit(alice, group, bundle))
    expect([status, kind, document['current_epoch']]).toEqual([409, 'proposals-pending', 1])
    expect(document['proposals']).toMatchObject([{ seq: 2, kind: 'proposal', epoch: 1 }])
    await group.receive(document['proposals'] as never)
    await group.settle()
    expect(group.members).toEqual([alice.uri, carol.uri])
  })

  it('stands again right behind a Commit that could not include it, of a joiner', async () => {
    const [alice, laptop, bob] = await stage.cast('alice', 'alice/laptop', 'bob')
    const group = await stage.group(alice, [], { policy: { external_join: 'open' } })
    await group.add(bob.user)
    await stage.sync(bob)
    await leave(bob, group)
    await laptop.joinExternally({ groupId: group.record.groupId, mode: 'public', suite: 1 })
    expect(await stage.log(group)).toEqual(['c0', 'p1', 'c1', 'p2'])
    expect(await pending(group)).toMatchObject([{ reason: 'leave', proposed_epoch: 2n }])
    await stage.sync(alice, laptop)
    expect(proposalsOf(group)).toBe(1)
    await group.settle()
    await stage.sync(laptop)
    expect(at(laptop, group).members).not.toContain(bob.uri)
    expect(at(laptop, group).epochAuthenticator).toBe(group.epochAuthenticator)
  })

  it.each(['none', 'same-user'] as const)(
    'is only shown to the members of a private group, one of whom commits it (external joins: %s)',
    async (external_join) => {
      const [alice, bob] = await stage.cast('alice', 'bob')
      const group = await stage.group(alice, [bob], { mode: 'private', policy: { external_join } })
      expect(await leave(bob, group)).toEqual({ proposed: false })
      expect(await alice.device.http.get(group.path)).toMatchObject({ leaving: [bob.uri] })
      const { bundle } = await draft(group)
      await submit(alice, group, bundle)
      expect(await stage.log(group)).toEqual(['c0', 'c1'])
      expect(await pending(group)).toMatchObject([{ reason: 'leave', leaf_index: null }])
    },
  )

  it('of a release before, for a leaf that a private group had shown, is not made again', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob], { mode: 'private' })
    await leave(bob, group)
    await stage.pool.query('UPDATE pending_removal SET leaf_index = 1, proposed_epoch = 1 WHERE gid = $1', [await stage.gid(group)])
    const { bundle } = await draft(group)
    await submit(alice, group, bundle)
    expect(await pending(group)).toMatchObject([{ reason: 'leave', leaf_index: null }])
    expect(await stage.log(group)).toEqual(['c0', 'c1'])
  })
})

describe('a revoked device', () => {
  it('is proposed for removal in all its groups, by the hint', async () => {
    const [alice, bob, tablet] = await stage.cast('alice', 'bob', 'bob/tablet')
    const groups = [await stage.group(alice, [bob, tablet]), await stage.group(alice, [bob, tablet])]
    await bob.device.revoke('tablet')
    await eventually(
      () => Promise.all(groups.map((group) => stage.log(group))),
      (logs) => logs.every((log) => log.length === 2),
    )
    for (const group of groups) {
      expect(await pending(group)).toMatchObject([{ reason: 'revoke', proposed_epoch: 1n }])
      await stage.sync(alice)
      await group.settle()
      expect(group.members).toEqual([alice.uri, bob.uri])
    }
  })

  it('is found by the sweep if the hint was lost, and a proposal that fell behind is made again', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob])
    await stage.pool.query('UPDATE device SET revoked_at = now() WHERE id = $1', [await stage.deviceId(bob)])
    const sweep = () => stage.server.app.get(RevokedDeviceRemovals, { strict: false }).sweep()
    await sweep()
    await sweep()
    expect(await stage.log(group)).toEqual(['c0', 'p1'])
    await stage.pool.query('UPDATE pending_removal SET proposed_epoch = 0 WHERE gid = $1', [await stage.gid(group)])
    await stage.pool.query(`DELETE FROM log WHERE gid = $1 AND kind = 'p'`, [await stage.gid(group)])
    await sweep()
    expect(await pending(group)).toMatchObject([{ proposed_epoch: 1n }])
  })
})

describe("the server's keys as an external sender", () => {
  it('are the same on all nodes, and sealed in the database', async () => {
    const [alice] = await stage.cast('alice')
    const second = await startServer(GENEROUS, {
      database: { url: stage.server.config.DATABASE_URL ?? '', pool: stage.pool, drop: async () => undefined },
    })
    try {
      await stage.pool.query('DELETE FROM external_sender_key')
      const fresh = [stage.server, second].map(({ app }) => {
        const senders = app.get(ExternalSenders, { strict: false })
        Object.assign(senders, { loaded: undefined })
        return senders.keys()
      })
      const [one, other] = (await Promise.all(fresh)).map((keys) =>
        [...keys].map(([scheme, { publicKey }]) => [scheme, Buffer.from(publicKey).toString('hex')]),
      )
      expect(one).toEqual(other)
      expect(one!.map(([scheme]) => scheme)).toEqual([0x0403, 0x0503, 0x0603, 0x0807, 0x0808])
      // A node that comes too late to make them leaves them as they are.
      await insertExternalSenderKey(stage.pool, { scheme: 0x0807, publicKey: Buffer.from('late'), sealedPrivate: Buffer.from('late') })
      expect((await readExternalSenderKeys(stage.pool)).map(({ publicKey }) => publicKey.toString('hex'))).toEqual(
        one!.map(([, publicKey]) => publicKey),
      )
    } finally {
      await second.close()
    }
    const { external_senders: listed } = await alice.device.http.get<{
      external_senders: { scheme: number; cipher_suites: number[]; identity: string }[]
    }>('/v1/external-senders')
    expect(listed.find(({ cipher_suites: suites }) => suites.includes(1))).toMatchObject({ scheme: 0x0807, identity: 'mimi://localhost' })
    const { rows } = await stage.pool.query<{ sealed_private: Buffer }>('SELECT sealed_private FROM external_sender_key')
    // PKCS #8 begins with a DER SEQUENCE; what is sealed with a version and an IV.
    expect(rows.map(({ sealed_private: sealed }) => sealed[0])).toEqual([1, 1, 1, 1, 1])
  })
})
