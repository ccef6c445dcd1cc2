import { randomUUID } from 'node:crypto'
import { utf8 } from '../../../examples/client/wire.js'
import type { Action } from '../../../src/groups/authority/actions.js'
import { localName } from '../scene-fixture.js'
import { anyPolicy, type GroupModel } from './group-model.js'
import type { Maker } from './move.js'
import { ownGroup } from './players.js'

export function concerning(
  action: Action,
  method: 'put' | 'delete',
  place: string,
  wanted: (model: GroupModel, user: string) => boolean,
  effect: (model: GroupModel, user: string) => void,
): Maker {
  return (scene, by, room) => {
    const who = scene.dice.pick(scene.players.filter(({ client }) => wanted(room.model, client.user)))
    if (!who) return undefined
    const named = scene.dice.chance(0.5) ? `/${localName(who.client)}` : `?user=${encodeURIComponent(who.client.user)}`
    const run = () => by.client.device.http[method](`${room.path}/${place}${named}`)
    const also = ['last-admin', ...(action === 'make-admin' ? ['not-found'] : [])]
    const changes = (model: GroupModel) => effect(model, who.client.user)
    return { name: `${action} ${who.client.user}`, by, room, code: false, row: () => action, run, effect: changes, also }
  }
}

export const changesPolicy: Maker = ({ dice }, by, room) => {
  const policy = anyPolicy(dice)
  const body = { ...policy, ...(policy.external_join === 'code' ? { join_code: room.code } : {}) }
  const run = () => by.client.device.http.put(`${room.path}/policy`, body)
  const effect = (model: GroupModel) => void (model.policy = policy)
  return { name: `change-policy ${JSON.stringify(policy)}`, by, room, code: false, row: () => 'change-policy', run, effect }
}

export const leaves: Maker = (_, by, room) => {
  const own = ownGroup(by, room.id)
  const run = () => (own ? own.leave() : by.client.device.http.post(`${room.path}/leave`))
  const effect = (model: GroupModel) => {
    const { going = 'leave' } = model.of(by.client.uri)
    model.change(by.client.uri, { leaving: true, going })
  }
  return { name: 'leave', by, room, code: false, row: () => 'leave', run, effect }
}

export const reports: Maker = (_, by, room) => {
  const seq = room.lastCommit
  const run = () => by.client.device.http.post(`${room.path}/reports`, { seq, reason: 'undecryptable' })
  const effect = (model: GroupModel) => void model.reports.set(seq, new Set([...(model.reports.get(seq) ?? []), by.client.user]))
  // Nobody reports a Commit of their own, or one that they did not have to read.
  return {
    name: `report ${seq}`,
    by,
    room,
    code: false,
    row: () => 'report',
    run,
    effect,
    also: ['policy', 'not-found', 'invalid-request'],
  }
}

/** By reports, if there are enough and the caller's is one of them; an admin needs none. */
export function resets(action: 'reset' | 'reset-by-reports'): Maker {
  return (_, by, room) => {
    const { user } = by.client
    const row = (model: GroupModel) => (!model.admins.has(user) && model.isWitness(user) ? 'reset-by-reports' : 'reset')
    if (row(room.model) !== action) return undefined
    const run = () => by.client.device.http.post(`${room.path}/reset`)
    const effect = (model: GroupModel) =>
      void Object.assign(model, { frozen: 'reset', reserved: true, resetter: model.admins.has(user) ? undefined : user })
    const accepted = () => void (room.announced = undefined)
    return { name: action, by, room, code: false, row, run, effect, accepted }
  }
}

export const undoes: Maker = ({ players }, by, room) => {
  const run = () => by.client.device.http.delete(`${room.path}/reset`)
  const effect = (model: GroupModel) => {
    Object.assign(model, { frozen: undefined, reserved: false, resetter: undefined, succeeded: false })
    model.reports.clear()
    // Revoked while the group stood.
    const gone = [...model.standings.keys()].filter((uri) => model.of(uri).in && !players.some(({ client }) => client.uri === uri))
    for (const uri of gone) model.change(uri, { going: 'revoke' })
  }
  const next = room.successor?.model
  const accepted = () => {
    if (room.successor) Object.assign(room.successor.model, { frozen: 'reset', reserved: false, succeeded: true })
    room.successor = undefined
  }
  // The successor itself is not current any more, or the caller no admin there.
  const also = ['reset-final', ...(next && !next.admins.has(by.client.user) ? ['forbidden'] : [])]
  return { name: 'undo-reset', by, room, code: false, row: () => 'undo-reset', run, effect, accepted, also, alone: true }
}

export const succeeds: Maker = (scene, by, room) => {
  const groupId = room.announced ?? utf8(randomUUID())
  const run = () => by.client.createGroup({ groupId, mode: room.model.mode, successorOf: room.id })
  const accepted = () => scene.succeed(room, groupId, by)
  const effect = (model: GroupModel) => void (model.succeeded = true)
  // Of two who use the announced id one is first.
  const also = ['group-exists']
  return { name: 'create-successor', by, room, code: false, row: () => 'create-successor', run, accepted, effect, also, alone: true }
}

export const deletes: Maker = (_, by, room) => {
  const effect = (model: GroupModel) => void (model.deleted = true)
  return { name: 'delete', by, room, code: false, row: () => 'delete', run: () => by.client.device.http.delete(room.path), effect }
}
