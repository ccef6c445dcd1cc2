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
import { addOf } from '../scene-fixture.js'
import type { GroupModel } from './group-model.js'
import { leaveOutUnlawful } from './hidden.js'
import { Unsent, type Maker, type Scene } from './move.js'
import { ownGroup, type Player } from './players.js'
import type { Room } from './room.js'

type Intent = (present: Member[]) => Proposal[]

/** A member's own group; for others that of a member whose bytes they have got hold of. */
export function bytesOf({ players, dice }: Scene, by: Player, room: Room): Group {
  const own = ownGroup(by, room.id)
  if (own) return own
  const others = players.flatMap((one) => ownGroup(one, room.id) ?? [])
  const newest = Math.max(...others.map(({ epoch }) => epoch))
  const found = dice.pick(others.filter((one) => one.epoch === newest))
  if (!found) throw new Unsent('nobody is in')
  return found
}

/** As the client library commits; or with the session of somebody who is out. */
export async function commits(scene: Scene, by: Player, room: Room, intended: (group: Group) => Promise<Intent>): Promise<void> {
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

export async function proposes(scene: Scene, by: Player, room: Room, intended: (group: Group) => Promise<Intent>): Promise<void> {
  const group = bytesOf(scene, by, room)
  const intent = await intended(group)
  const { impl } = await suite(group.record.suite)
  await group.inTurn(async () => {
    const { record } = group
    const [proposal] = intent(members(record.state))
    const made = await createProposal(record.state, record.mode === 'public', proposal!, impl)
    const bytes = encodeMlsMessage(made.message)
    const hash = toHex(sha256(bytes))
    if (room.proposed.has(hash)) throw new Unsent('was proposed')
    room.proposed.add(hash)
    await by.client.device.http.post(`${room.path}/proposals`, { proposal: bytes })
    if (group.device !== by.client.device) return
    record.sent.set(hash, '')
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

export function adding(kind: 'commit' | 'propose', own: boolean): Maker {
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

export function removing(kind: 'commit' | 'propose', own: boolean): Maker {
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
export const where =
  (action: Action, maker: Maker): Maker =>
  (scene, by, room) => {
    for (let attempt = 0; attempt < 4; attempt++) {
      const move = maker(scene, by, room)
      if (move?.row(room.model) === action) return move
    }
    return undefined
  }

/** Where nobody may join, Commits come without a GroupInfo: until the next Commit there is none, also if the policy has changed. */
export function withoutInfo({ model, hasInfo }: Room): string[] {
  return hasInfo && model.policy.external_join !== 'none' ? [] : ['not-found']
}

/** As a client joins; or with a GroupInfo that a member has given away. */
export const joins: Maker = (scene, by, room) => {
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

export async function proposesToBeAdded(scene: Scene, { client }: Player, room: Room): Promise<void> {
  const group = bytesOf(scene, { client, hostile: true }, room)
  const own = await client.device.newKeyPackage(1)
  client.device.record.keyPackages.set(own.ref, own)
  const proposal = await proposeAddExternal(await groupInfoOf(group), own.public, own.private, (await suite(1)).impl)
  await client.device.http.post(`${room.path}/proposals`, { proposal: encodeMlsMessage(proposal) })
}

export async function says(scene: Scene, by: Player, room: Room): Promise<void> {
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
export async function publishesSenderKey(scene: Scene, by: Player, room: Room): Promise<void> {
  const { record, epoch } = bytesOf(scene, by, room)
  const made = by.hostile || room.model.frozen ? { epoch, ...keyPair(randomBytes(32)) } : undefined
  await publishSenderKey(new Group(by.client.device, record), made)
}

export async function branches(scene: Scene, by: Player, room: Room): Promise<void> {
  const group = bytesOf(scene, by, room)
  const other = scene.dice.pick(scene.players.filter(({ client }) => client.user !== by.client.user && room.model.isMember(client.uri)))
  if (!other) throw new Unsent('nobody to bring along')
  const users = [other.client.user]
  await by.client.beginAfter({ before: group.record, origin: 'branch', groupId: utf8(randomUUID()), users })
}
