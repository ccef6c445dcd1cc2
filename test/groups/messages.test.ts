import { describe, expect, it } from '@jest/globals'
import { createApplicationMessage, encodeMlsMessage } from 'ts-mls'
import type { Client } from '../../examples/client/client.js'
import type { Accepted, Group } from '../../examples/client/group.js'
import { suite } from '../../examples/client/mls/suites.js'
import { utf8 } from '../../examples/client/wire.js'
import { at, draft, refusal, submit, useStage } from './group-fixture.js'

const stage = useStage({ MAX_MESSAGE_BYTES: '4KiB', MAX_PAST_EPOCHS: '2' })

/** An application message of the group's epoch, not sent. */
async function message(group: Group, text = 'hello'): Promise<Uint8Array> {
  const made = await createApplicationMessage(group.record.state, utf8(text), (await suite(group.record.suite)).impl)
  group.record.state = made.newState
  return encodeMlsMessage({ version: 'mls10', wireformat: 'mls_private_message', privateMessage: made.privateMessage })
}
const send = (client: Client, group: Group, bytes: Uint8Array) =>
  client.device.http.post<Accepted>(`${group.path}/messages`, { message: bytes })

describe('an application message', () => {
  it('is taken as JSON, as CBOR and as it is, and says where it stands', async () => {
    const [alice] = await stage.cast('alice')
    const group = await stage.group(alice)
    const raw = await alice.device.http.postMessage<Accepted>(`${group.path}/messages`, await message(group))
    expect(raw).toMatchObject({ seq: 1, epoch: 0, incarnation: 1 })
    expect(await send(alice, group, await message(group))).toMatchObject({ seq: 2 })
    const body = JSON.stringify({ message: Buffer.from(await message(group)).toString('base64url') })
    const json = await fetch(`${stage.server.url}${group.path}/messages`, {
      method: 'POST',
      body,
      headers: {
        'content-type': 'application/json',
        ...alice.device.http.credentials('POST', `${stage.server.url}${group.path}/messages`),
      },
    })
    expect([json.status, ((await json.json()) as Accepted).seq]).toEqual([200, 3])
  })

  it('sent again gets the same answer, also when its epoch has gone by and its sender is out', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob])
    const bytes = await message(at(bob, group))
    const first = await send(bob, group, bytes)
    expect(await send(bob, group, bytes)).toEqual(first)
    await stage.sync(alice)
    await group.remove(bob.uri)
    expect(await send(bob, group, bytes)).toEqual(first)
    expect(await stage.log(group)).toEqual(['c0', 'a1', 'c1'])
  })

  it('names no sender in any table', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob])
    await send(bob, group, await message(at(bob, group)))
    const { rows } = await stage.pool.query<{ accepted_at: Date }>(`SELECT * FROM log WHERE gid = $1 AND kind = 'a'`, [
      await stage.gid(group),
    ])
    expect(Object.keys(rows[0] ?? {}).sort()).toEqual(['accepted_at', 'bytes', 'chain', 'epoch', 'gid', 'hash', 'kind', 'seq'])
    expect(rows[0]!.accepted_at.getMilliseconds()).toBe(0)
  })

  it('may be two epochs late, not three, and never from before a removal', async () => {
    const [alice, bob, carol] = await stage.cast('alice', 'bob', 'carol')
    const group = await stage.group(alice, [bob, carol])
    const old = [await message(at(bob, group)), await message(at(bob, group)), await message(at(bob, group))]
    await group.update()
    await group.update()
    await send(bob, group, old[0]!)
    await stage.sync(alice)
    await group.update()
    expect(await refusal(send(bob, group, old[1]!))).toMatchObject({ status: 409, kind: 'stale-epoch', document: { current_epoch: 4 } })
    await stage.sync(bob)
    const beforeRemoval = await message(at(bob, group))
    await group.remove(carol.uri)
    const { document } = await refusal(send(bob, group, beforeRemoval))
    expect((document['entries'] as { epoch: number }[]).map(({ epoch }) => epoch)).toEqual([4])
  })

  it('of an epoch to come is refused', async () => {
    const [alice] = await stage.cast('alice')
    const group = await stage.group(alice)
    const { next } = await draft(group)
    group.record.state = next
    expect(await refusal(send(alice, group, await message(group)))).toMatchObject({ status: 409, kind: 'epoch-ahead' })
  })

  it('of somebody else, of another group, too large, or no application data is refused', async () => {
    const [alice, mallory] = await stage.cast('alice', 'mallory')
    const [group, other] = [await stage.group(alice), await stage.group(alice)]
    expect(await refusal(send(mallory, group, await message(group)))).toMatchObject({ status: 404, kind: 'not-found' })
    expect(await refusal(send(alice, other, await message(group)))).toMatchObject({ status: 422, kind: 'undecodable' })
    expect(await refusal(send(alice, group, await message(group, 'x'.repeat(5000))))).toMatchObject({ status: 413, kind: 'too-large' })
    const { bundle } = await draft(group)
    for (const bytes of [bundle.commit, bundle.group_info!, Uint8Array.of(1), (await message(group)).subarray(0, -3)]) {
      expect(await refusal(send(alice, group, bytes))).toMatchObject({ status: 422, kind: 'undecodable' })
    }
    const hidden = await stage.group(alice, [], { mode: 'private' })
    expect(await refusal(send(alice, hidden, (await draft(hidden)).bundle.commit))).toMatchObject({ status: 422, kind: 'undecodable' })
    expect(await stage.log(group)).toEqual([])
  })

  it('is refused by a frozen and by a deleted group', async () => {
    const [alice] = await stage.cast('alice')
    const group = await stage.group(alice)
    await send(alice, group, await message(group))
    await alice.device.http.post(`${group.path}/reset`)
    expect(await refusal(send(alice, group, await message(group)))).toMatchObject({
      status: 409,
      kind: 'group-frozen',
      document: { reason: 'reset' },
    })
    await group.delete()
    expect(await refusal(send(alice, group, await message(group)))).toMatchObject({ status: 410, kind: 'group-deleted' })
  })
})

describe('messages and Commits of many groups at once', () => {
  it('never wait for each other in a circle, and every log stays gapless', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const groups = await Promise.all(Array.from({ length: 5 }, () => stage.group(alice)))
    for (const group of groups) {
      await group.add(bob.user)
      await stage.sync(bob)
    }
    const deadlocks = await countDeadlocks()
    // As many at once as a device may have under way.
    const chatter = groups.flatMap((group) => Array.from({ length: 6 }, async () => send(alice, group, await message(group))))
    const commits = groups.map(async (group) => {
      for (let round = 0; round < 4; round++) {
        await stage.sync(bob)
        const { bundle } = await draft(at(bob, group))
        await submit(bob, group, bundle)
      }
    })
    const outcomes = await Promise.allSettled([...chatter, ...commits])
    const errors = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [String(outcome.reason)] : []))
    // A message may have become too old; nothing else may go wrong.
    expect(errors.filter((error) => !error.includes('stale-epoch'))).toEqual([])
    expect(await countDeadlocks()).toBe(deadlocks)
    const { rows } = await stage.pool.query('SELECT gid FROM log GROUP BY gid HAVING count(*) <> max(seq)')
    expect(rows).toEqual([])
  })
})

async function countDeadlocks(): Promise<unknown> {
  const { rows } = await stage.pool.query<{ deadlocks: bigint }>(
    'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()',
  )
  return rows[0]!.deadlocks
}
