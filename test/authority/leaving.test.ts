import { describe, expect, it } from '@jest/globals'
import type { Client } from '../../examples/client/client.js'
import type { Group } from '../../examples/client/group.js'
import { Retention } from '../../src/delivery/retention/retention.job.js'
import { at, draft, refusal, submit, useStage } from '../groups/group-fixture.js'

const stage = useStage()

const leave = (client: Client, group: Group) => client.device.http.post<{ proposed: boolean }>(`${group.path}/leave`)
interface Seen {
  entries: { seq: number }[]
  head_seq?: number
}
const polled = async ({ device }: Client) => (await device.http.get<Seen>('/v1/events')).entries.map(({ seq }) => seq)
const logged = ({ device }: Client, group: Group) => device.http.get<Seen>(`${group.path}/log`)

describe.each([
  ['public', 'same-user'],
  ['private', 'same-user'],
  ['private', 'none'],
] as const)('a device that left a %s group (external joins: %s)', (mode, external_join) => {
  async function left(...others: Client[]) {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob, ...others], { mode, policy: { external_join } })
    await group.send('before')
    const head = (await logged(bob, group)).head_seq ?? 0
    await leave(bob, group)
    return { alice, bob, group, head }
  }

  it('gets nothing that comes behind its leave, and holds nothing back', async () => {
    const { alice, bob, group, head } = await left()
    // As a hostile creator would, who never commits the Remove.
    await group.send('behind the leave')
    const later = (await stage.log(group)).length
    expect(later).toBeGreaterThan(head)
    expect(Math.max(0, ...(await polled(bob)))).toBeLessThanOrEqual(head)
    expect((await logged(bob, group)).head_seq).toBe(head)
    await stage.pool.query('UPDATE member SET acked = $2 WHERE device_id = $1', [await stage.deviceId(alice), later])
    await stage.server.app.get(Retention, { strict: false }).run(new Date(Date.now() + 2 * 86_400_000))
    expect((await stage.log(group)).filter((entry) => entry.startsWith('a'))).toEqual([])
  })

  it('posts and commits nothing any more, and may leave again', async () => {
    const { bob, group } = await left()
    const own = at(bob, group)
    expect(await refusal(own.send('one more'))).toMatchObject({ status: 403, kind: 'not-a-member' })
    expect(await refusal(submit(bob, group, (await draft(own)).bundle))).toMatchObject({ status: 403, kind: 'not-a-member' })
    await leave(bob, group)
  })

  it('is a member for the others until one of them commits its Remove', async () => {
    const { alice, bob, group } = await left()
    expect(await alice.device.http.get(group.path)).toMatchObject({ leaving: [bob.uri] })
    await stage.sync(alice)
    await group.remove(bob.uri).catch(() => group.settle())
    expect(group.members).toEqual([alice.uri])
    expect(await alice.device.http.get(group.path)).not.toHaveProperty('leaving')
  })
})

describe('a device that left', () => {
  it('takes that back by joining from outside, and is delivered to again', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob])
    await leave(bob, group)
    const back = await bob.joinExternally({ groupId: group.record.groupId, mode: 'public', suite: 1, resync: true })
    await stage.sync(alice)
    await group.send('welcome back')
    const seen = await polled(bob)
    expect(seen.at(-1)).toBe((await stage.log(group)).length)
    await back.send('here I am')
  })
})
