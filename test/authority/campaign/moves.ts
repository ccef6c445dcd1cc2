import { randomBytes, randomUUID } from 'node:crypto'
import { createProposal, encodeMlsMessage, proposeAddExternal, type Proposal } from 'ts-mls'
import { groupInfo, members, type Member } from '../../../examples/client/commits.js'
import { Group } from '../../../examples/client/group.js'
import { ServerProblem } from '../../../examples/client/http.js'
import { joinByGroupInfo } from '../../../examples/client/mls/external-join.js'
import { suite } from '../../../examples/client/mls/suites.js'
import { encodeTree, settled } from '../../../examples/client/mls/tree.js'
import { keyPair, publishSenderKey } from '../../../examples/client/sealed/sender-key.js'
import { sha256, toHex, utf8 } from '../../../examples/client/wire.js'
import type { Action } from '../../../src/groups/authority/actions.js'
import { draft, submit } from '../../groups/group-fixture.js'
import { emptyPrivateMessage, groupInfoOf } from '../../groups/hostile.js'
import { addOf, localName, reinitOf } from '../scene-fixture.js'
import type { Dice } from './dice.js'
import type { GroupModel } from './group-model.js'
import { leaveOutUnlawful } from './hidden.js'
import { ownGroup, type Player } from './players.js'
import type { Room } from './room.js'

/** One thing that a device wants of a group. */
export interface Move {
  readonly name: string
  readonly by: Player
  readonly room: Room
  /** The row of the page, which can depend on how others stand; two where that cannot be known. */
  row(model: GroupModel): Action | readonly Action[]
  /** Whether the right join code comes with it. */
  readonly code: boolean
  /** Why it is refused to those who may as well: what the page says in words. */
  besides?(model: GroupModel): string | undefined
  run(): Promise<unknown>
  /** What has changed when it is accepted, apart from what Commits change. */
  effect?(model: GroupModel): void
  /** Called once when it is accepted. */
  accepted?(): void
  /** Answers that have nothing to do with rights, besides the usual ones. */
  readonly also?: readonly string[]
}

/** The client had no reason to ask the server, or could not. */
export class Unsent extends Error {}

/** What a move is chosen among. */
export interface Scene {
  readonly dice: Dice
  readonly players: readonly Player[]
  /** A new group takes the place of the one that it succeeds. */
  succeed(room: Room, id: Uint8Array, by: Player): void
}

type Maker = (scene: Scene, by: Player, room: Room) => Move | undefined
type Intent = (present: Member[]) => Proposal[]

const plain = (action: Action, run: (scene: Scene, by: Player, room: Room) => Promise<unknown>): Maker => {
  return (scene, by, room) => ({ name: action, by, room, code: false, row: () => action, run: () => run(scene, by, room) })
}
const reads = (action: Action, ...places: string[]): Maker =>
  plain(action, async (_, { client }, room) => {
    for (const place of places) await client.device.http.get(room.path + place)
  })

/** A member's own group; for others that of a member whose bytes they have got hold of. */
function bytesOf({ players, dice }: Scene, by: Player, room: Room): Group {
  const own = ownGroup(by, room.id)
  if (own) return own
  const others = players.flatMap((one) => ownGroup(one, room.id) ?? [])
  const newest = Math.max(...others.map(({ epoch }) => epoch))
  const found = dice.pick(others.filter((one) => one.epoch === newest))
  if (!found) throw new Unsent('nobody is in')
  return found
}

/** As the client library commits; or with the session of somebody who is out. */
async function commits(scene: Scene, by: Player, room: Room, intended: (group: Group) => Promise<Intent>): Promise<void> {
  const group = bytesOf(scene, by, room)
  const intent = await intended(group)
  if (group.device !== by.client.device)
    return void (await submit(by.client, group, (await draft(group, intent(members(group.record.state)))).bundle))
  const { standing } = group.record
  if (standing !== 'member' || room.model.of(by.client.uri).going !== undefined) throw new Unsent(standing)
  await group.commit((present) => {
    leaveOutUnlawful(room.model, group)
    return intent(present)
  }, 8)
}

function leafOf(present: readonly Member[], device: string): number {
  const found = present.find(({ client }) => client === device)
  if (!found) throw new Unsent('is out')
  return found.leafIndex
}

const added =
  (target: Player) =>
  async (group: Group): Promise<Intent> => {
    const add = await addOf(group, target.client)
    return (present) => {
      if (present.some(({ client }) => client === target.client.uri)) throw new Unsent('is in')
      return [add]
    }
  }
const removed = (target: Player) => (): Promise<Intent> =>
  Promise.resolve((present) => [{ proposalType: 'remove', remove: { removed: leafOf(present, target.client.uri) } }])

async function proposes(scene: Scene, by: Player, room: Room, intended: (group: Group) => Promise<Intent>): Promise<void> {
  const group = bytesOf(scene, by, room)
  const intent = await intended(group)
  const { impl } = await suite(group.record.suite)
  await group.inTurn(async () => {
    const { record } = group
    const [proposal] = intent(members(record.state))
    const made = await createProposal(record.state, record.mode === 'public', proposal!, impl)
    const bytes = encodeMlsMessage(made.message)
    await by.client.device.http.post(`${room.path}/proposals`, { proposal: bytes })
    if (group.device !== by.client.device) return
    record.sent.set(toHex(sha256(bytes)), '')
    record.state = made.newState
  })
}

/** Another device than the caller's, by whether it is in and of the same user. */
function target({ dice, players }: Scene, by: Player, room: Room, wanted: { in: boolean; own: boolean }): Player | undefined {
  const fits = (one: Player) =>
    one !== by && room.model.of(one.client.uri).in === wanted.in && (one.client.user === by.client.user) === wanted.own
  return dice.pick(players.filter(fits))
}

const noBannedUser = (one: Player) => (model: GroupModel) => (model.banned.has(one.client.user) ? 'policy' : undefined)

function adding(kind: 'commit' | 'propose', own: boolean): Maker {
  const action: Action = kind === 'propose' ? 'propose-add' : own ? 'commit-add-own' : 'commit-add'
  return (scene, by, room) => {
    const who = target(scene, by, room, { in: false, own })
    if (!who) return undefined
    const how = kind === 'commit' ? commits : proposes
    const run = () => how(scene, by, room, added(who))
    const besides = kind === 'propose' && room.model.mode === 'private' ? undefined : noBannedUser(who)
    return { name: `${action} ${who.client.uri}`, by, room, code: false, row: () => action, run, ...(besides && { besides }) }
  }
}

function removing(kind: 'commit' | 'propose', own: boolean): Maker {
  return (scene, by, room) => {
    const who = target(scene, by, room, { in: true, own })
    if (!who) return undefined
    const { uri, user } = who.client
    const row = (model: GroupModel): Action => {
      if (kind === 'commit' && model.of(uri).going !== undefined) return 'commit-remove-leaving'
      if (own) return `${kind}-remove-own`
      return model.admins.has(user) ? `${kind}-remove-admin` : `${kind}-remove`
    }
    const how = kind === 'commit' ? commits : proposes
    return { name: `${kind}-remove ${uri}`, by, room, code: false, row, run: () => how(scene, by, room, removed(who)) }
  }
}

/** Only where the row is the wanted one as things stand. */
const where =
  (action: Action, maker: Maker): Maker =>
  (scene, by, room) => {
    for (let attempt = 0; attempt < 4; attempt++) {
      const move = maker(scene, by, room)
      if (move?.row(room.model) === action) return move
    }
    return undefined
  }

/** Where nobody may join, Commits come without a GroupInfo: until the next Commit there is none, also if the policy has changed. */
function withoutInfo({ model, hasInfo }: Room): string[] {
  return hasInfo && model.policy.external_join !== 'none' ? [] : ['not-found']
}

/** As a client joins; or with a GroupInfo that a member has given away. */
const joins: Maker = (scene, by, room) => {
  const right = scene.dice.chance(0.6)
  const code = room.model.policy.external_join !== 'code' ? undefined : right ? room.code : 'open barley'
  const inside = room.model.of(by.client.uri).in
  const wish = { groupId: room.id, mode: room.model.mode, suite: 1, resync: inside, ...(code === undefined ? {} : { joinCode: code }) }
  const may = room.model.says('commit-join', by.client.uri, right).has('yes')
  const joinsAsClient = () =>
    by.client.joinExternally(wish).catch((error: unknown) => {
      const missing = error instanceof ServerProblem && withoutInfo(room).includes(error.kind)
      throw missing ? new Unsent('there is no GroupInfo') : error
    })
  const run = () => (may || !(by.hostile || inside) ? joinsAsClient() : joinsWithStolenInfo(scene, by, room, code))
  return { name: `commit-join ${code === undefined ? '' : right}`, by, room, code: right, row: () => 'commit-join', run }
}

async function joinsWithStolenInfo(scene: Scene, by: Player, room: Room, code?: string): Promise<void> {
  const { impl } = await suite(1)
  const group = bytesOf(scene, by, room)
  const { device } = by.client
  const { ratchetTree: tree } = group.record.state
  const joined = await joinByGroupInfo(
    await groupInfoOf(group),
    await device.newKeyPackage(1),
    { tree, resync: group.members.includes(by.client.uri) },
    impl,
  )
  const state = settled(joined.newState)
  await device.http.post(`${room.path}/commits`, {
    commit: encodeMlsMessage({ version: 'mls10', wireformat: 'mls_public_message', publicMessage: joined.publicMessage }),
    group_info: await groupInfo(state, impl),
    ...(room.model.mode === 'private' ? { ratchet_tree: encodeTree(state.ratchetTree) } : {}),
    ...(code === undefined ? {} : { join_code: code }),
  })
}

async function proposesToBeAdded(scene: Scene, { client }: Player, room: Room): Promise<void> {
  const group = bytesOf(scene, { client, hostile: true }, room)
  const own = await client.device.newKeyPackage(1)
  client.device.record.keyPackages.set(own.ref, own)
  const proposal = await proposeAddExternal(await groupInfoOf(group), own.public, own.private, (await suite(1)).impl)
  await client.device.http.post(`${room.path}/proposals`, { proposal: encodeMlsMessage(proposal) })
}

async function says(scene: Scene, by: Player, room: Room): Promise<void> {
  const own = ownGroup(by, room.id)
  const text = randomUUID()
  if (own && !by.hostile) {
    const { seq } = await own.send(text)
    return void room.texts.push({ seq, text })
  }
  const message = emptyPrivateMessage(room.id, BigInt(bytesOf(scene, by, room).epoch), 1)
  // The same bytes again would be no other message. The last ones are of the ciphertext.
  message.set(randomBytes(32), message.length - 32)
  await by.client.device.http.postMessage(`${room.path}/messages`, message)
}

/** Honest members publish the key of the epoch, which may be there already; so in a frozen group any. */
async function publishesSenderKey(scene: Scene, by: Player, room: Room): Promise<void> {
  const { record, epoch } = bytesOf(scene, by, room)
  const made = by.hostile || room.model.frozen ? { epoch, ...keyPair(randomBytes(32)) } : undefined
  await publishSenderKey(new Group(by.client.device, record), made)
}

function concerning(
  action: Action,
  method: 'put' | 'delete',
  place: string,
  wanted: (model: GroupModel, user: string) => boolean,
  effect: (model: GroupModel, user: string) => void,
): Maker {
  return (scene, by, room) => {
    const who = scene.dice.pick(scene.players.filter(({ client }) => wanted(room.model, client.user)))
    if (!who) return undefined
    const run = () => by.client.device.http[method](`${room.path}/${place}/${localName(who.client)}`)
    const also = ['last-admin', ...(action === 'make-admin' ? ['not-found'] : [])]
    const changes = (model: GroupModel) => effect(model, who.client.user)
    return { name: `${action} ${who.client.user}`, by, room, code: false, row: () => action, run, effect: changes, also }
  }
}

const changesPolicy: Maker = ({ dice }, by, room) => {
  const external_join = dice.pick(['none', 'same-user', 'code', 'open'] as const)!
  const policy = {
    external_join,
    add_members: dice.pick(['members', 'members', 'admins'] as const)!,
    remove_members: dice.pick(['members', 'admins'] as const)!,
  }
  const body = { ...policy, ...(external_join === 'code' ? { join_code: room.code } : {}) }
  const run = () => by.client.device.http.put(`${room.path}/policy`, body)
  const effect = (model: GroupModel) => void (model.policy = policy)
  return { name: `change-policy ${JSON.stringify(policy)}`, by, room, code: false, row: () => 'change-policy', run, effect }
}

const leaves: Maker = (_, by, room) => {
  const own = ownGroup(by, room.id)
  const run = () => (own ? own.leave() : by.client.device.http.post(`${room.path}/leave`))
  const effect = (model: GroupModel) => {
    const { going = 'leave' } = model.of(by.client.uri)
    model.change(by.client.uri, { leaving: true, going })
  }
  return { name: 'leave', by, room, code: false, row: () => 'leave', run, effect }
}

const reports: Maker = (_, by, room) => {
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

function resets(action: 'reset' | 'reset-by-reports'): Maker {
  return (_, by, room) => {
    const rows = { none: ['reset'], enough: ['reset-by-reports'], unsure: ['reset', 'reset-by-reports'] } as const
    const row = (model: GroupModel) => rows[model.reported()]
    if (row(room.model)[0] !== action) return undefined
    const run = () => by.client.device.http.post(`${room.path}/reset`)
    const effect = (model: GroupModel) => void (model.frozen = true)
    return { name: action, by, room, code: false, row, run, effect }
  }
}

const succeeds: Maker = (scene, by, room) => {
  const groupId = room.announced ?? utf8(randomUUID())
  const run = () => by.client.createGroup({ groupId, mode: room.model.mode, successorOf: room.id })
  const accepted = () => scene.succeed(room, groupId, by)
  const also = ['successor-taken', 'group-exists']
  return { name: 'create-successor', by, room, code: false, row: () => 'create-successor', run, accepted, also }
}

async function branches(scene: Scene, by: Player, room: Room): Promise<void> {
  const group = bytesOf(scene, by, room)
  const other = scene.dice.pick(scene.players.filter(({ client }) => client.user !== by.client.user && room.model.isMember(client.uri)))
  if (!other) throw new Unsent('nobody to bring along')
  const users = [other.client.user]
  await by.client.beginAfter({ before: group.record, origin: 'branch', groupId: utf8(randomUUID()), users })
}

const deletes: Maker = (_, by, room) => {
  const effect = (model: GroupModel) => void (model.deleted = true)
  return { name: 'delete', by, room, code: false, row: () => 'delete', run: () => by.client.device.http.delete(room.path), effect }
}

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
  leave: leaves,
  report: reports,
  reset: resets('reset'),
  'reset-by-reports': resets('reset-by-reports'),
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
