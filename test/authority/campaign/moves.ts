import type { Action } from '../../../src/groups/authority/actions.js'
import { reinitOf } from '../scene-fixture.js'
import { changesPolicy, concerning, deletes, leaves, reports, resets, succeeds, undoes } from './admin-moves.js'
import {
  adding,
  branches,
  commits,
  joins,
  proposes,
  proposesToBeAdded,
  publishesSenderKey,
  removing,
  says,
  where,
  withoutInfo,
} from './mls-moves.js'
import type { Maker, Scene } from './move.js'
import type { Player } from './players.js'
import type { Room } from './room.js'

const plain = (action: Action, run: (scene: Scene, by: Player, room: Room) => Promise<unknown>): Maker => {
  return (scene, by, room) => ({ name: action, by, room, code: false, row: () => action, run: () => run(scene, by, room) })
}
const reads = (action: Action, ...places: string[]): Maker =>
  plain(action, async (_, { client }, room) => {
    for (const place of places) await client.device.http.get(room.path + place)
  })

/** ts-mls makes no Commit of extensions that others can read, with or without their Proposal; the tests of the table make one. */
export const UNTRIED: readonly Action[] = ['commit-extensions', 'propose-extensions']

/** How each action of the table is tried. Undefined: not as things stand. */
export const MOVES: Record<Action, Maker> = {
  'read-group': reads('read-group', ''),
  'read-log': reads('read-log', '/log'),
  'read-policy': reads('read-policy', '/policy'),
  'read-group-info': (scene, by, room) => {
    const code = scene.dice.chance(0.5)
    const headers = room.model.policy.external_join === 'code' && code ? { 'join-code': room.code } : undefined
    const run = async () => {
      await by.client.device.http.get(`${room.path}/group-info`, headers)
      await by.client.device.http.get(`${room.path}/tree`, headers)
    }
    return { name: `read-group-info ${code}`, by, room, code, row: () => 'read-group-info', run, also: withoutInfo(room) }
  },
  'read-sender-keys': reads('read-sender-keys', '/sender-keys'),
  'publish-sender-key': plain('publish-sender-key', publishesSenderKey),
  'post-message': plain('post-message', says),
  'commit-update': plain('commit-update', (scene, by, room) => commits(scene, by, room, () => Promise.resolve(() => []))),
  'commit-add': adding('commit', false),
  'commit-add-own': adding('commit', true),
  'commit-remove': where('commit-remove', removing('commit', false)),
  'commit-remove-admin': where('commit-remove-admin', removing('commit', false)),
  'commit-remove-own': where('commit-remove-own', removing('commit', true)),
  'commit-remove-leaving': where('commit-remove-leaving', removing('commit', false)),
  'commit-reinit': plain('commit-reinit', (scene, by, room) =>
    commits(scene, by, room, (group) => Promise.resolve(() => [reinitOf(group)])),
  ),
  'commit-extensions': () => undefined,
  'propose-extensions': () => undefined,
  'commit-join': joins,
  'propose-add': adding('propose', false),
  'propose-remove': where('propose-remove', removing('propose', false)),
  'propose-remove-admin': where('propose-remove-admin', removing('propose', false)),
  'propose-remove-own': where('propose-remove-own', removing('propose', true)),
  'propose-reinit': plain('propose-reinit', (scene, by, room) =>
    proposes(scene, by, room, (group) => Promise.resolve(() => [reinitOf(group)])),
  ),
  // In a private group it is judged by the GroupInfo, if there is one.
  'propose-join': (scene, by, room) => {
    const run = () => proposesToBeAdded(scene, by, room)
    const also = room.model.mode === 'private' && withoutInfo(room).length > 0 ? ['policy'] : []
    return { name: 'propose-join', by, room, code: false, row: () => 'propose-join', run, also }
  },
  'choose-delivery': plain('choose-delivery', (_, { client }, room) =>
    client.device.http.put(`${room.path}/delivery`, { delivery: 'all' }),
  ),
  leave: leaves,
  report: reports,
  reset: resets('reset'),
  'reset-by-reports': resets('reset-by-reports'),
  'undo-reset': undoes,
  'create-successor': succeeds,
  'create-branch': plain('create-branch', branches),
  delete: deletes,
  'change-policy': changesPolicy,
  'make-admin': concerning(
    'make-admin',
    'put',
    'admins',
    (model, user) => model.present(user) && !model.banned.has(user),
    (model, user) => model.admins.add(user),
  ),
  'dismiss-admin': concerning(
    'dismiss-admin',
    'delete',
    'admins',
    () => true,
    (model, user) => model.admins.delete(user),
  ),
  ban: concerning(
    'ban',
    'put',
    'bans',
    () => true,
    (model, user) => (model.admins.delete(user), model.banned.add(user)),
  ),
  unban: concerning(
    'unban',
    'delete',
    'bans',
    (model, user) => model.banned.has(user),
    (model, user) => model.banned.delete(user),
  ),
}
