import { expect } from '@jest/globals'
import type { Pool } from 'pg'
import { ServerProblem } from '../../../examples/client/http.js'
import { eventually } from '../../support/eventually.js'
import type { Scene } from './move.js'
import type { Player, Players } from './players.js'
import type { Room } from './room.js'
import type { Rooms } from './rooms.js'

type Errand = (by: Player, room: Room) => Promise<unknown>

/** What the page has no row for: about nothing in particular, */
const GENERAL: readonly Errand[] = [
  ({ client }) => client.device.http.get('/v1/groups'),
  ({ client }) => client.device.http.get('/v1/me/usage'),
]
/** about a room, */
const OF_A_ROOM: readonly Errand[] = [
  ({ client }, { uri }) => client.device.http.get(`/v1/rooms/${encodeURIComponent(uri)}`),
  ({ client }, { uri }) => client.device.http.get(`/v1/rooms?room=${encodeURIComponent(uri)}`),
]
/** and about one group. */
const OF_A_GROUP: readonly Errand[] = [
  ...OF_A_ROOM,
  ({ client }, { path }) => client.device.http.get(`${path}/log/vanished`),
  ({ client }, { path }) => client.device.http.post(`${path}/abuse-reports`, { alleged_abuser: client.user }),
  ({ client }, { path }) => client.device.http.post(`${path}/sealed-group-info`, { request: new Uint8Array(32) }),
]

/** The next of them, by any device: it is answered, and a stranger learns nothing of a group. */
export async function runErrand({ dice, players, rooms }: Scene, number: number): Promise<void> {
  const errand = [...GENERAL, ...OF_A_GROUP][number % (GENERAL.length + OF_A_GROUP.length)]!
  const general = GENERAL.includes(errand)
  const [by, room] = [dice.pick(players)!, dice.pick(rooms)]
  if (!room) return
  const status = await errand(by, room).then(
    () => 200,
    (error: unknown) => (error instanceof ServerProblem ? error.status : String(error)),
  )
  // Who was in the group before knows the room, and who is in the group after it.
  const known = room.follows || (room.model.succeeded && OF_A_ROOM.includes(errand))
  const strange = !general && !known && room.model.says('read-group', by.client.uri, false).has('not-found')
  // 400, 422: the request of a sealed group-info is decoded first.
  const may = general ? [200] : strange ? [404, 400, 422] : [200, 400, 403, 404, 410, 422]
  expect({ by: by.client.uri, room: room.path, status, may }).toMatchObject({ may: expect.arrayContaining([status]) })
}

/** A device is revoked by another one of its user, wherever it is in; one with new keys takes its place. */
export async function revokeOne(scene: Scene, crew: Players, rooms: Rooms, pool: Pool): Promise<void> {
  const revoked = scene.dice.pick(crew.all.filter(({ client }) => !client.uri.endsWith('/phone')))
  const by = revoked && crew.all.find((one) => one !== revoked && one.client.user === revoked.client.user)
  if (!revoked || !by) return
  const { uri, user } = revoked.client
  const name = uri.split('/').at(-1)!
  await by.client.device.revoke(name)
  crew.forget(revoked)
  // Noted by a job.
  const due = `SELECT m.gid FROM member m JOIN device d ON d.id = m.device_id JOIN groups g ON g.gid = m.gid
     WHERE d.client_uri = $1 AND m.until_seq IS NULL AND g.frozen IS NULL AND g.deleted_at IS NULL
       AND NOT EXISTS (SELECT FROM pending_removal r WHERE r.gid = m.gid AND r.device_id = d.id AND r.reason = 'revoke')`
  await eventually(
    async () => (await pool.query(due, [uri])).rowCount,
    (count) => count === 0,
  )
  for (const { model } of rooms.known) if (model.of(uri).in && !model.frozen && !model.deleted) model.change(uri, { going: 'revoke' })
  await crew.enrol(`${user.split('/u/')[1]!.replace(/-[^-]*$/u, '')}/laptop${crew.enrolled}`, revoked.hostile)
}
