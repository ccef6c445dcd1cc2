import { describe, expect, it } from '@jest/globals'
import type { PoolClient } from 'pg'
import { createProposal, encodeMlsMessage } from 'ts-mls'
import type { Client } from '../../examples/client/client.js'
import type { Group } from '../../examples/client/group.js'
import { suite } from '../../examples/client/mls/suites.js'
import { disableAccount } from '../../src/authentication/accounts/accounts.repository.js'
import { at, refusal, useStage } from '../groups/group-fixture.js'
import { eventually } from '../support/eventually.js'

const stage = useStage()
const REFUSED = { status: 403, kind: 'policy' }

const local = (client: Client) => client.user.split('/u/')[1]!
const put = (client: Client, group: Group, path: string, body: unknown = {}) => client.device.http.put(`${group.path}/${path}`, body)
const remove = (client: Client, group: Group, path: string) => client.device.http.delete(`${group.path}/${path}`)
const leave = (client: Client, group: Group) => client.device.http.post(`${group.path}/leave`)
const policyOf = (client: Client, group: Group) => client.device.http.get<{ admins: string[]; version: number }>(`${group.path}/policy`)
const adminsOf = async (client: Client, group: Group) => (await policyOf(client, group)).admins

/** A Commit that removes a client, of a member that commits nothing else. */
async function throwOut(by: Client, group: Group, target: Client): Promise<void> {
  await stage.sync(by)
  await at(by, group).remove(target.uri)
}

describe.each(['public', 'private'] as const)('an admin of a %s group', (mode) => {
  it('who is removed is none any more, and none again when a plain member adds it', async () => {
    const [alice, erin, frank] = await stage.cast('alice', 'erin', 'frank')
    const group = await stage.group(alice, [erin, frank], { mode })
    await put(alice, group, `admins/${local(erin)}`)
    await throwOut(alice, group, erin)
    expect(await adminsOf(alice, group)).toEqual([alice.user])
    await stage.sync(frank)
    await at(frank, group).add(erin.user)
    await stage.sync(erin)
    expect(await refusal(put(erin, group, `bans/${local(alice)}`))).toMatchObject({ status: 403, kind: 'forbidden' })
    expect(await refusal(erin.device.http.delete(group.path))).toMatchObject({ status: 403, kind: 'forbidden' })
  })

  it('who is the last and leaves hands its rights to the user who is in for longest and stays', async () => {
    const [alice, gone, bob, carol] = await stage.cast('alice', 'gone', 'bob', 'carol')
    const group = await stage.group(alice, [], { mode })
    for (const one of [gone, bob, carol]) await group.add(one.user)
    await stage.sync(gone, bob, carol)
    await leave(gone, group)
    await leave(alice, group)
    await stage.sync(carol)
    await at(carol, group).remove(alice.uri)
    expect(await adminsOf(carol, group)).toEqual([bob.user])
    await put(bob, group, 'policy', { add_members: 'admins' })
  })

  it('keeps them while another device of the user is in', async () => {
    const [alice, laptop, bob] = await stage.cast('alice', 'alice/laptop', 'bob')
    const group = await stage.group(alice, [laptop, bob], { mode })
    await throwOut(laptop, group, alice)
    expect(await adminsOf(bob, group)).toEqual([alice.user])
  })

  it('is not thrown out by a plain member, who would inherit', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob], { mode })
    expect(await refusal(throwOut(bob, group, alice))).toMatchObject(REFUSED)
    expect(await adminsOf(bob, group)).toEqual([alice.user])
    await put(alice, group, `admins/${local(bob)}`)
    await throwOut(bob, group, alice)
    expect(await adminsOf(bob, group)).toEqual([bob.user])
  })

  it('is let go by a plain member once it has asked, or has revoked its device', async () => {
    const [alice, bob, carol, tablet] = await stage.cast('alice', 'bob', 'carol', 'carol/tablet')
    const group = await stage.group(alice, [bob, carol, tablet], { mode })
    await put(alice, group, `admins/${local(carol)}`)
    await leave(alice, group)
    await throwOut(bob, group, alice)
    await carol.device.revoke('tablet')
    await throwOut(bob, group, tablet)
    expect(await adminsOf(bob, group)).toEqual([carol.user])
  })

  it('whose account is disabled is none from that moment on', async () => {
    const [alice, bob, carol] = await stage.cast('alice', 'bob', 'carol')
    const group = await stage.group(alice, [bob, carol], { mode })
    const shared = await stage.group(alice, [bob, carol], { mode })
    await put(alice, shared, `admins/${local(carol)}`)
    await disableAccount(stage.pool, alice.user)
    expect(await adminsOf(bob, group)).toEqual([bob.user])
    expect(await adminsOf(bob, shared)).toEqual([carol.user])
  })

  it('who is banned is none any more, so that it cannot take the ban back', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob], { mode })
    await put(alice, group, `admins/${local(bob)}`)
    await put(alice, group, `bans/${local(bob)}`)
    expect(await refusal(remove(bob, group, `bans/${local(bob)}`))).toMatchObject({ status: 403, kind: 'forbidden' })
    await remove(alice, group, `bans/${local(bob)}`)
    expect(await adminsOf(alice, group)).toEqual([alice.user])
  })

  it('who is the last cannot ban itself', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob], { mode })
    expect(await refusal(put(alice, group, `bans/${local(alice)}`))).toMatchObject({ status: 409, kind: 'last-admin' })
    await put(alice, group, `admins/${local(bob)}`)
    await put(alice, group, `bans/${local(alice)}`)
    expect(await adminsOf(bob, group)).toEqual([bob.user])
  })
})

describe('a Proposal to remove an admin', () => {
  it('is for admins, whatever the policy for others', async () => {
    const [alice, bob, carol] = await stage.cast('alice', 'bob', 'carol')
    const group = await stage.group(alice, [bob, carol])
    const propose = async (by: Client) => {
      const made = await createProposal(
        at(by, group).record.state,
        true,
        { proposalType: 'remove', remove: { removed: 0 } },
        (await suite(1)).impl,
      )
      return by.device.http.post(`${group.path}/proposals`, { proposal: encodeMlsMessage(made.message) })
    }
    expect(await refusal(propose(bob))).toMatchObject(REFUSED)
    await put(alice, group, `admins/${local(bob)}`)
    await propose(bob)
  })
})

describe('the admin of a group before', () => {
  it('who is expected in the successor keeps the rights there while other admins come and go', async () => {
    const [alice, bob, carol] = await stage.cast('alice', 'bob', 'carol')
    const group = await stage.group(alice, [bob])
    await put(alice, group, `admins/${local(bob)}`)
    await alice.device.http.post(`${group.path}/reset`, {})
    const successor = await alice.createGroup({ groupId: Buffer.from(String(Math.random())), successorOf: group.record.groupId })
    await successor.add(carol.user)
    await put(alice, successor, `admins/${local(carol)}`)
    await successor.remove(carol.uri)
    expect((await adminsOf(alice, successor)).toSorted()).toEqual([alice.user, bob.user].toSorted())
  })
})

describe('who is made an admin', () => {
  it('is not banned: it would lift its own ban', async () => {
    const [alice, bob, carol] = await stage.cast('alice', 'bob', 'carol')
    const group = await stage.group(alice, [bob, carol])
    await put(alice, group, `admins/${local(carol)}`)
    await put(alice, group, `bans/${local(bob)}`)
    expect(await refusal(put(carol, group, `admins/${local(bob)}`))).toMatchObject({ status: 403, kind: 'policy' })
    expect(await refusal(remove(bob, group, `bans/${local(bob)}`))).toMatchObject({ status: 403, kind: 'forbidden' })
    await remove(alice, group, `bans/${local(bob)}`)
    await put(carol, group, `admins/${local(bob)}`)
  })

  it('is in the group now: who was in it before would come back with rights', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob])
    await throwOut(alice, group, bob)
    expect(await refusal(put(alice, group, `admins/${local(bob)}`))).toMatchObject({ status: 404 })
  })
})

describe('accounts that are disabled at the same time', () => {
  it('do not wait for each other, where each would inherit from the other', async () => {
    const [alice, bob, carol] = await stage.cast('alice', 'bob', 'carol')
    const [hers, his] = [await stage.group(alice, [bob, carol]), await stage.group(bob, [alice, carol])]
    const [one, other] = [await stage.pool.connect(), await stage.pool.connect()]
    const disable = (client: PoolClient, { user }: Client) =>
      client.query('UPDATE account SET disabled_at = now() WHERE user_uri = $1', [user])
    const lock = (client: PoolClient, { user }: Client) => client.query('SELECT FROM account WHERE user_uri = $1 FOR NO KEY UPDATE', [user])
    try {
      for (const client of [one, other]) await client.query('BEGIN')
      await lock(one, alice)
      await lock(other, bob)
      await Promise.all([disable(one, alice), disable(other, bob)])
      for (const client of [one, other]) await client.query('COMMIT')
    } finally {
      for (const client of [one, other]) client.release(true)
    }
    // Where nobody could be asked, the next Commit settles who inherits.
    await stage.sync(carol)
    for (const group of [hers, his]) {
      await at(carol, group).update()
      expect(await adminsOf(carol, group)).toEqual([carol.user])
    }
  })
})

/** What a request comes to that arrives while the dismissal of its admin is written and not yet committed. */
async function duringDismissal<Outcome>(group: Group, admin: Client, by: Client, request: () => Promise<Outcome>): Promise<Outcome> {
  const client = await stage.pool.connect()
  try {
    await client.query('BEGIN')
    const { rows } = await client.query<{ outcome: string }>(
      `SELECT dismiss_admin(p_gid => $1, p_user => (SELECT id FROM account WHERE user_uri = $2), p_admin => (SELECT id FROM account WHERE user_uri = $3)) AS outcome`,
      [await stage.gid(group), by.user, admin.user],
    )
    expect(rows).toEqual([{ outcome: 'accepted' }])
    const outcome = request()
    const blocked = async () => (await client.query('SELECT FROM pg_locks WHERE NOT granted')).rowCount === 1
    await Promise.race([outcome.catch(() => undefined), eventually(blocked, (is) => is)])
    await client.query('COMMIT')
    return await outcome
  } finally {
    client.release(true)
  }
}

describe('a request of an admin that waits while the admin is dismissed', () => {
  const requests: [string, (bob: Client, group: Group, carol: Client) => Promise<unknown>, kind?: string][] = [
    ['to ban', (bob, group, carol) => put(bob, group, `bans/${local(carol)}`)],
    ['to lift a ban', (bob, group, carol) => remove(bob, group, `bans/${local(carol)}`)],
    ['to make an admin', (bob, group, carol) => put(bob, group, `admins/${local(carol)}`)],
    ['to dismiss an admin', (bob, group) => remove(bob, group, `admins/${local(bob)}`)],
    ['to change the policy', (bob, group) => put(bob, group, 'policy', { add_members: 'admins' })],
    ['to delete the group', (bob, group) => bob.device.http.delete(group.path)],
    // Without admins, reports decide.
    ['to reset the group', (bob, group) => bob.device.http.post(`${group.path}/reset`), 'policy'],
  ]
  it.each(requests)('%s is refused', async (_, request, kind = 'forbidden') => {
    const [alice, bob, carol] = await stage.cast('alice', 'bob', 'carol')
    const group = await stage.group(alice, [bob, carol])
    await put(alice, group, `admins/${local(bob)}`)
    const { version } = await policyOf(alice, group)
    expect(await refusal(duringDismissal(group, bob, alice, () => request(bob, group, carol)))).toMatchObject({
      status: 403,
      kind,
    })
    expect(await policyOf(alice, group)).toMatchObject({ admins: [alice.user], version: version + 1 })
    expect(await alice.device.http.get(group.path)).not.toHaveProperty('frozen')
  })

  it('leaves one of two admins who dismiss each other', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob])
    await put(alice, group, `admins/${local(bob)}`)
    const answers = await Promise.allSettled([
      remove(alice, group, `admins/${local(bob)}`),
      remove(bob, group, `admins/${local(alice)}`),
      put(alice, group, `bans/${local(bob)}`),
      put(bob, group, `bans/${local(alice)}`),
    ])
    expect(answers.some(({ status }) => status === 'fulfilled')).toBe(true)
    expect(await adminsOf(alice, group)).toHaveLength(1)
  })
})
