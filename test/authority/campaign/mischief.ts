import { randomBytes, randomUUID } from 'node:crypto'
import { groupInfo } from '../../../examples/client/commits.js'
import { Group } from '../../../examples/client/group.js'
import { suite } from '../../../examples/client/mls/suites.js'
import { toBase64Url, utf8 } from '../../../examples/client/wire.js'
import type { Action } from '../../../src/groups/authority/actions.js'
import { draft } from '../../groups/group-fixture.js'
import { emptyPrivateMessage, signedProposal } from '../../groups/hostile.js'
import { proposals } from '../../support/mls/proposals.js'
import { bytesOf } from './mls-moves.js'
import { Unsent, type Maker, type Move, type Scene } from './move.js'
import { ownGroup, type Player } from './players.js'
import type { Room } from './room.js'

/** Signature, confirmation_tag and membership_tag: the last two cannot be checked by a server, and end a message. */
const TAGS = 80

/** What is refused to everybody; `words` of the page to those who have no right. */
function spoilt(name: string, by: Player, room: Room, row: Action, run: () => Promise<unknown>): Move {
  return { name, by, room, code: false, row: () => row, run, spoilt: true }
}

const commit = (by: Player, room: Room, body: object) => by.client.device.http.post(`${room.path}/commits`, body)

/** The bytes of an entry of the log, as somebody can have kept them. The server says where they were accepted, and takes them for nothing new. */
const replays: Maker = (scene, by, room) => {
  const kind = scene.dice.pick(['c', 'p', 'a'] as const)!
  const row = ({ c: 'commit-update', p: 'propose-remove-own', a: 'post-message' } as const)[kind]
  const run = async () => {
    const entry = scene.dice.pick(await scene.kept(room, kind))
    if (!entry) throw new Unsent('nothing to send again')
    const { http } = by.client.device
    const send = {
      c: () => commit(by, room, { commit: entry.bytes }),
      p: () => http.post(`${room.path}/proposals`, { proposal: entry.bytes }),
      a: () => http.postMessage(`${room.path}/messages`, entry.bytes),
    }
    const { seq } = (await send[kind]()) as { seq: number }
    if (seq !== entry.seq) throw new Error(`What is entry ${entry.seq} was accepted again, as ${seq}`)
    throw new Unsent('was known')
  }
  return spoilt(`replay ${kind}`, by, room, row, run)
}

const ofAnotherGroup: Maker = (scene, by, room) => {
  const other = scene.dice.pick(scene.rooms.filter((one) => one !== room && one.model.isMember(by.client.uri)))
  if (!other) return undefined
  const run = async () => {
    const group = bytesOf(scene, by, other)
    if (group.record.state.groupActiveState.kind !== 'active') throw new Unsent('is over')
    await commit(by, room, (await draft(group)).bundle)
  }
  return spoilt('commit of another group', by, room, 'commit-update', run)
}

const ofAnotherIncarnation: Maker = (scene, by, room) => {
  const run = async () => {
    const group = bytesOf(scene, by, room)
    const message = emptyPrivateMessage(room.id, BigInt(group.epoch), 1)
    message.set(randomBytes(32), message.length - 32)
    await by.client.device.http.postMessage(`${room.path}/messages`, message, 7)
  }
  return spoilt('message of another incarnation', by, room, 'post-message', run)
}

/** In a private group the server sees nothing of what a member sends: what is wrong with it is for members to find. */
const flipped: Maker = (scene, by, room) => {
  if (room.model.mode === 'private' && room.model.isMember(by.client.uri)) return undefined
  const run = async () => {
    const { bundle } = await draft(bytesOf(scene, by, room))
    const place = Math.floor(scene.dice.next() * (bundle.commit.length - TAGS))
    bundle.commit[place]! ^= 1 << Math.floor(scene.dice.next() * 8)
    await commit(by, room, bundle)
  }
  return spoilt('commit with a bit flipped', by, room, 'commit-update', run)
}

/** A Commit of an epoch that has passed. */
const outdated: Maker = (_, by, room) => {
  const kept = room.stash
  if (!kept || kept.epoch >= room.epoch) return undefined
  return spoilt('commit of an old epoch', by, room, 'commit-update', () => commit(by, room, kept.bundle))
}

/** Signed with one's own key, in the name of another leaf. */
const inAnothersName: Maker = (_, by, room) => {
  const own = ownGroup(by, room.id)
  if (!own || room.model.mode === 'private') return undefined
  const run = async () => {
    const { state } = own.record
    const leafIndex = (state.privatePath.leafIndex + 1) % 8
    const record = { ...own.record, state: { ...state, privatePath: { ...state.privatePath, leafIndex } } }
    const proposal = await signedProposal(new Group(own.device, record), proposals.remove(state.privatePath.leafIndex))
    await by.client.device.http.post(`${room.path}/proposals`, { proposal })
  }
  return spoilt('proposal in the name of another', by, room, 'propose-remove', run)
}

/** The sender of a private Commit says whom it removes: an admin, without the right. */
const claimsToRemove: Maker = (scene, by, room) => {
  const own = ownGroup(by, room.id)
  const admin = scene.players.find(({ client }) => room.model.of(client.uri).in && room.model.admins.has(client.user))
  if (!own || !admin || room.model.mode === 'public' || room.model.admins.has(by.client.user)) return undefined
  if (room.model.of(admin.client.uri).going !== undefined) return undefined
  const run = async () => commit(by, room, { ...(await draft(own)).bundle, removed: [admin.client.uri] })
  return spoilt('commit that claims to remove an admin', by, room, 'commit-remove-admin', run)
}

/** Takes the GroupInfo of one group for a Commit of the next epoch. */
const withOldInfo: Maker = (scene, by, room) => {
  const own = ownGroup(by, room.id)
  if (!own || room.model.policy.external_join === 'none') return undefined
  const run = async () => {
    const { bundle } = await draft(bytesOf(scene, by, room))
    await commit(by, room, { ...bundle, group_info: await groupInfo(own.record.state, (await suite(1)).impl) })
  }
  return spoilt('commit with the GroupInfo of the epoch before', by, room, 'commit-update', run)
}

const MISCHIEF = [replays, ofAnotherGroup, ofAnotherIncarnation, flipped, outdated, inAnothersName, claimsToRemove, withOldInfo]

/** Something that nobody may, by a hostile device. */
export function mischief(scene: Scene): Move | undefined {
  const by = scene.dice.pick(scene.players.filter(({ hostile }) => hostile))!
  for (const maker of scene.dice.shuffled(MISCHIEF))
    for (const room of scene.dice.shuffled(scene.rooms)) {
      const move = maker(scene, by, room)
      if (move) return move
    }
  return undefined
}

/** Asks for a group that does not exist: everybody hears just that. @throws ServerProblem */
export async function asksForNothing({ dice }: Scene, { client }: Player): Promise<void> {
  const path = `/v1/groups/${toBase64Url(utf8(randomUUID()))}`
  const { http } = client.device
  const reads = ['', '/log', '/policy', '/group-info', '/tree', '/sender-keys'].map((place) => () => http.get(path + place))
  const others = [
    () => http.post(`${path}/leave`),
    () => http.post(`${path}/reset`),
    () => http.delete(`${path}/reset`),
    () => http.delete(path),
  ]
  await dice.pick<() => Promise<unknown>>([...reads, ...others])!()
}
