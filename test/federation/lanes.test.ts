import { expect, it } from '@jest/globals'
import { Batches } from '../../src/federation/push/batches.js'
import { pendingDeletions } from '../../src/federation/push/deletions.repository.js'
import { leaveLane, renewLane, takeLane } from '../../src/federation/peers/peers.repository.js'
import type { NotifyBatch } from '../../src/protocol/mimi/microchat/notify-batch.js'
import { eventually } from '../support/eventually.js'
import { useFederation } from '../support/federated-world.js'
import { agreed, at, heard, joined, type World } from '../support/world.js'

const federated = useFederation(2)

async function cast() {
  const [home, away] = federated.worlds as [World, World]
  const [[alice], [bob, carol]] = await Promise.all([home.cast('alice'), away.cast('bob', 'carol')])
  const group = await home.group(alice, [bob])
  await agreed([bob], group)
  return { alice, bob, carol, group }
}

it('belongs to the run that took it: another one does not end it', async () => {
  const { pool } = federated.providers[0]!
  expect(await takeLane(pool, 'x.example', 'one', 60_000)).toBe(true)
  expect(await takeLane(pool, 'x.example', 'two', 60_000)).toBe(false)
  await leaveLane(pool, 'x.example', 'two')
  expect(await takeLane(pool, 'x.example', 'two', 60_000)).toBe(false)
  expect([await renewLane(pool, 'x.example', 'one', 60_000), await renewLane(pool, 'x.example', 'two', 60_000)]).toEqual([true, false])
  await leaveLane(pool, 'x.example', 'one')
  expect(await takeLane(pool, 'x.example', 'two', 60_000)).toBe(true)
})

it('continues while the peer refuses a deletion, which is tried again by itself', async () => {
  const { bob, group } = await cast()
  const { pool } = federated.providers[0]!
  // The room is not the one that the follower knows: 409 home-elsewhere.
  await pool.query(
    `INSERT INTO peer_deletion (domain, group_id, room_id, incarnation) VALUES ('b.example', $1, 'mimi://a.example/r/another', 1)`,
    [group.record.groupId],
  )
  await group.send('all the same')
  await heard([bob], group, ['all the same'])
  const { rows } = await eventually(
    () => pool.query<{ failures: number; error: string | null }>('SELECT failures, last_error AS error FROM peer_deletion'),
    (seen) => seen.rows[0]?.error !== null,
  )
  expect(rows[0]!.error).toContain('home-elsewhere')
  await pool.query("UPDATE peer_deletion SET retry_at = now() + interval '1 hour'")
  expect(await pendingDeletions(pool, 'b.example', 10)).toEqual([])
  const { rows: peers } = await pool.query("SELECT failures FROM peer WHERE domain = 'b.example'")
  expect(peers).toEqual([{ failures: 0 }])
  await pool.query('DELETE FROM peer_deletion')
})

it('divides what is too large for the peer, trees and all', async () => {
  const { carol, group } = await cast()
  const { app, pool } = federated.providers[0]!
  await pool.query("UPDATE peer SET paused = true WHERE domain = 'b.example'")
  await group.add(carol.user)
  for (const text of ['one', 'two']) await group.send(text)
  const { rows } = await pool.query<{ gid: bigint }>('SELECT gid FROM groups WHERE group_id = $1', [group.record.groupId])
  const next = async (share: number) => (await app.get(Batches).next('b.example', rows[0]!.gid, { share }))!.batch
  const trees = ({ welcomes }: NotifyBatch) => welcomes.map(({ message }) => message.tree?.kind)
  const [whole, part] = [await next(1), await next(2 ** -20)]
  expect([whole.entries.length, trees(whole)]).toEqual([3, ['full']])
  expect([part.entries.length, trees(part)]).toEqual([1, ['distribution-service']])
  await pool.query("UPDATE peer SET paused = false WHERE domain = 'b.example'")
  await joined(carol, group.record.groupId)
})

it('brings a provider that comes back late what it was there for, and nothing of its absence', async () => {
  const { bob, group } = await cast()
  const { pool } = federated.providers[0]!
  await pool.query("UPDATE peer_cursor SET stopped = 'by the test'")
  await group.send('seen')
  await group.remove(bob.uri)
  await group.send('unseen')
  await pool.query("UPDATE peer SET paused = true WHERE domain = 'b.example'")
  await pool.query('UPDATE peer_cursor SET stopped = NULL')
  await group.add(bob.user)
  await group.send('seen again')
  await pool.query("UPDATE peer SET paused = false WHERE domain = 'b.example'")
  await eventually(
    () => at(bob, group).texts,
    (texts) => texts.includes('seen again'),
  )
  const { rows } = await federated.providers[1]!.pool.query<{ seq: bigint }>(
    'SELECT seq FROM log JOIN groups USING (gid) WHERE group_id = $1 ORDER BY seq',
    [group.record.groupId],
  )
  expect(rows.map(({ seq }) => Number(seq))).toEqual([1, 2, 3, 5, 6])
})

it('takes a group up again that was stopped, when a new member comes', async () => {
  const { bob, carol, group } = await cast()
  const { pool } = federated.providers[0]!
  await pool.query("UPDATE peer_cursor SET stopped = 'by the test'")
  await group.send('between')
  await group.add(carol.user)
  await eventually(
    () => pool.query('SELECT FROM peer_cursor JOIN groups USING (gid) WHERE stopped IS NOT NULL AND group_id = $1', [group.record.groupId]),
    (seen) => seen.rowCount === 0,
  )
  await group.send('for both')
  await heard([bob], group, ['between', 'for both'])
  await joined(carol, group.record.groupId)
  await heard([carol], group, ['for both'])
})
