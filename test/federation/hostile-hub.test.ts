import { expect, it } from '@jest/globals'
import { forgetDeletedUnknown } from '../../src/federation/follower/replica/deletion.repository.js'
import { Batches } from '../../src/federation/push/batches.js'
import { encodeDeleteRoomRequest } from '../../src/protocol/mimi/microchat/deletion.js'
import { encodeNotifyBatch, type NotifyBatch } from '../../src/protocol/mimi/microchat/notify-batch.js'
import { decodeNotifyResponse } from '../../src/protocol/mimi/microchat/notify-response.js'
import { useFederation } from '../support/federated-world.js'
import type { Provider } from '../support/federation.js'
import { callPeer } from '../support/peer-call.js'
import { signedBatch } from '../support/signed-batch.js'
import { agreed, type World } from '../support/world.js'

const federated = useFederation(2)
const setting = () => {
  const [home, away] = federated.worlds as [World, World]
  const [hub, follower] = federated.providers as [Provider, Provider]
  return { home, away, hub, follower }
}

/** Sends the follower what the test wants, well signed. */
async function notify(hub: Provider, follower: Provider, batch: NotifyBatch): Promise<{ status: number; code: string | undefined }> {
  const body = encodeNotifyBatch(await signedBatch(hub, follower, batch))
  const answer = await callPeer(hub, follower, { endpoint: 'notify', argument: batch.roomId, body })
  const decoded = answer.status === 200 ? decodeNotifyResponse(answer.body) : undefined
  return { status: answer.status, code: decoded?.kind === 'decoded' ? decoded.value.code : undefined }
}

/** A group with bob of the follower, whose lane is held so that the test pushes itself. @returns what would be pushed next */
async function heldGroup() {
  const { home, away, hub, follower } = setting()
  const [alice] = await home.cast('alice')
  const [bob, victim] = await away.cast('bob', 'victim')
  const group = await home.group(alice, [bob])
  await agreed([bob], group)
  const { rows } = await hub.pool.query<{ gid: bigint }>('SELECT gid FROM groups WHERE group_id = $1', [group.record.groupId])
  const { gid } = rows[0]!
  await hub.pool.query("UPDATE peer_cursor SET stopped = 'by the test' WHERE gid = $1", [gid])
  await group.send('next')
  federated.staysBehind(bob)
  const outgoing = await hub.app.get(Batches).next('b.example', gid)
  return { hub, follower, group, victim, bob, batch: outgoing!.batch }
}

it('cannot put Welcomes into the inboxes of users whose KeyPackages they do not answer', async () => {
  const { hub, follower, victim, batch } = await heldGroup()
  const { rows } = await follower.pool.query<{ bytes: Buffer }>('SELECT bytes FROM welcome LIMIT 1')
  const message = {
    acceptedAtMs: 1n,
    message: new Uint8Array(rows[0]!.bytes),
    kind: 'welcome',
    tree: { kind: 'distribution-service' },
    proposals: [],
  } as const
  const clients = Array<string>(500).fill(victim.device.client)
  const welcome = { seq: batch.firstSeq, epoch: 5n, expiresAtMs: BigInt(Date.now() + 86_400_000), clients, message }
  expect(await notify(hub, follower, { ...batch, welcomes: [welcome, welcome] })).toEqual({ status: 200, code: 'received' })
  const inbox = await follower.pool.query('SELECT FROM inbox i JOIN device d ON d.id = i.device_id WHERE client_uri = $1', [
    victim.device.client,
  ])
  expect(inbox.rowCount).toBe(0)
})

it.each([
  ['incarnation', { incarnation: 2 ** 32 - 1 }],
  ['first place', { firstSeq: 2n ** 62n }],
  ['floor', { postFloor: 2n ** 64n - 1n }],
])('is refused a number that no log reaches, and not by a 500: the %s', async (_what, change) => {
  const { hub, follower, batch } = await heldGroup()
  expect((await notify(hub, follower, { ...batch, ...change })).status).toBe(422)
})

it('cannot bring a group back that it has deleted', async () => {
  const { hub, follower, group, batch } = await heldGroup()
  const { groupId } = group.record
  const { roomId, incarnation } = batch
  const body = encodeDeleteRoomRequest({ groupId, roomId, incarnation })
  expect((await callPeer(hub, follower, { endpoint: 'deleteRoom', argument: roomId, body })).status).toBe(200)
  // As where the deletion came before the first batch: the group's home is known, and no replica is.
  await follower.pool.query('UPDATE followed_group SET gid = NULL WHERE group_id = $1', [groupId])
  expect(await notify(hub, follower, batch)).toEqual({ status: 200, code: 'stopped' })
})

it('keeps no id from others by naming it, and leaves nothing behind where nobody joins', async () => {
  const { hub, follower, batch } = await heldGroup()
  const groupId = new Uint8Array(Buffer.from('somebody else'))
  expect(await notify(hub, follower, { ...batch, groupId, entries: [] })).toEqual({ status: 200, code: 'have' })
  const { rowCount } = await follower.pool.query('SELECT FROM followed_group WHERE group_id = $1', [groupId])
  expect(rowCount).toBe(0)
})

it('hears that a group is deleted which it deleted before anything of it had come', async () => {
  const { hub, follower, batch } = await heldGroup()
  const groupId = new Uint8Array(Buffer.from('never seen'))
  const body = encodeDeleteRoomRequest({ groupId, roomId: batch.roomId, incarnation: 1 })
  const deleted = async () => (await callPeer(hub, follower, { endpoint: 'deleteRoom', argument: batch.roomId, body })).status
  // Nobody could join there by a batch that is on the way: nothing has to be remembered.
  expect(await deleted()).toBe(200)
  expect(await notify(hub, follower, { ...batch, groupId, entries: [] })).toEqual({ status: 200, code: 'have' })
  const passed = "INSERT INTO passed_commit (room_id, hash, device_id) SELECT $1, '\\x00', id FROM device LIMIT 1"
  await follower.pool.query(passed, [batch.roomId])
  expect(await deleted()).toBe(200)
  expect(await notify(hub, follower, { ...batch, groupId, entries: [] })).toEqual({ status: 200, code: 'stopped' })
  await follower.pool.query("UPDATE followed_group SET deleted_at = now() - interval '2 hours'")
  await forgetDeletedUnknown(follower.pool)
  expect(await notify(hub, follower, { ...batch, groupId, entries: [] })).toEqual({ status: 200, code: 'have' })
})

it('is refused a roster that is not in the order of the log, or says a thing twice', async () => {
  const { hub, follower, bob, batch } = await heldGroup()
  const left = { seq: batch.firstSeq, change: 'left', ended: 'removed', client: bob.device.client } as const
  expect((await notify(hub, follower, { ...batch, roster: [left, left] })).status).toBe(422)
  expect((await notify(hub, follower, { ...batch, roster: [left, { ...left, seq: left.seq - 1n }] })).status).toBe(422)
})
