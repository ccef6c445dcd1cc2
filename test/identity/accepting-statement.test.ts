import { describe, expect, it } from '@jest/globals'
import type { Client } from '../../examples/client/client.js'
import type { Group } from '../../examples/client/group.js'
import { submitCommit } from '../../src/groups/repository/submissions.repository.js'
import { useStage } from '../groups/group-fixture.js'
import { commitOf } from '../ordering/submission-fixture.js'
import { StoredList } from './lists-fixture.js'

// What a Commit was judged by may change before it is accepted: the statement that accepts it asks again, and it is judged once more.

const stage = useStage()
// Their lists are written by the tests.
stage.identity = false

async function world() {
  const [alice, tablet, bob] = await stage.cast('alice', 'alice/tablet', 'bob')
  const group = await stage.group(alice, [])
  const list = await StoredList.begin(stage.pool, alice)
  const phone = await list.certify(alice)
  const own = await list.certify(tablet, phone)
  return { alice, tablet, bob, group, list, phone, own, number: own.number }
}

async function outcome(group: Group, joiner: Client, wish: { vouchers?: string[]; number?: number; ended?: number | null }) {
  const deviceId = await stage.deviceId(joiner)
  const certificates = wish.number === undefined ? [] : [{ deviceId, number: wish.number, ended: wish.ended ?? null }]
  const { rows } = await stage.pool.query<{ account_id: bigint }>('SELECT account_id FROM device WHERE id = $1', [deviceId])
  const commit = commitOf(await stage.gid(group), deviceId, 0n, {
    ...{ external: true, userId: rows[0]!.account_id, added: [{ deviceId, welcome: null }] },
    ...{ vouchers: wish.vouchers, certificates },
  })
  return (await submitCommit(stage.pool, commit)).kind
}

describe('a joiner whom a member has certified', () => {
  it('is accepted', async () => {
    const { alice, tablet, group, number } = await world()
    expect(await outcome(group, tablet, { vouchers: [alice.uri], number })).toBe('accepted')
  })

  it('is not, once the certificate was revoked, replaced or its identity has ended', async () => {
    const { alice, tablet, group, list, phone, number } = await world()
    await list.revoke(phone, { number })
    expect(await outcome(group, tablet, { vouchers: [alice.uri], number })).toBe('retry')
    const other = await world()
    await other.list.certify(other.tablet, other.own)
    expect(await outcome(other.group, other.tablet, { vouchers: [other.alice.uri], number: other.number })).toBe('retry')
    expect(await outcome(other.group, other.tablet, { vouchers: [other.alice.uri], number: other.number, ended: 4 })).toBe('accepted')
    const third = await world()
    await (await StoredList.begin(stage.pool, third.alice)).certify(third.alice)
    expect(await outcome(third.group, third.tablet, { vouchers: [third.alice.uri], number: third.number })).toBe('retry')
  })

  it('is not, once no device that has certified it is a member, nor without one where the policy is same-user', async () => {
    const { alice, tablet, bob, group, number } = await world()
    expect(await outcome(group, tablet, { vouchers: [bob.uri], number })).toBe('retry')
    expect(await outcome(group, tablet, { vouchers: [], number })).toBe('retry')
    // Of a node of the release before, which knows of no certificates.
    expect(await outcome(group, tablet, { number })).toBe('retry')
    // A member that replaces its leaf needs nobody.
    expect(await outcome(group, alice, {})).toBe('accepted')
  })
})
