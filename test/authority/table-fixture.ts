import { randomUUID } from 'node:crypto'
import { createProposal, encodeMlsMessage, proposeAddExternal, type Proposal } from 'ts-mls'
import type { Client } from '../../examples/client/client.js'
import { groupInfo } from '../../examples/client/commits.js'
import { Group } from '../../examples/client/group.js'
import { decodeKeyPackageMessage } from '../../examples/client/joining.js'
import { joinByGroupInfo } from '../../examples/client/mls/external-join.js'
import { suite } from '../../examples/client/mls/suites.js'
import { encodeTree, settled } from '../../examples/client/mls/tree.js'
import { utf8 } from '../../examples/client/wire.js'
import { publishSenderKey } from '../../examples/client/sealed/sender-key.js'
import type { Action } from '../../src/groups/authority/actions.js'
import { ACTORS, type Actor, type Choices, type Mode, type State } from '../../src/groups/authority/table.js'
import { at, draft, submit, type Stage } from '../groups/group-fixture.js'
import { groupInfoOf } from '../groups/hostile.js'

/** A device for each actor of the table, and those that things are done to. */
const CAST = {
  admin: 'alice',
  member: 'bob',
  'banned member': 'bert',
  'member’s other device': 'bob/laptop',
  'member’s removed device': 'bob/tablet',
  'former member, left': 'lefty',
  'former member, removed': 'rita',
  'former member, removed and banned': 'ron',
  stranger: 'mallory',
  'banned stranger': 'benny',
} as const satisfies Record<Actor, string>
const TARGETS = ['carol', 'dave', 'alice/desk', 'bob/desk', 'bert/desk', 'alice/watch', 'bob/watch', 'bert/watch'] as const

/** The people of all scenes: each takes part in many groups. */
export interface People {
  actors: Record<Actor, Client>
  targets: Record<(typeof TARGETS)[number], Client>
}

export async function castPeople(stage: Stage): Promise<People> {
  // A user's first device enrols the others.
  const names: string[] = [...new Set([...Object.values(CAST), ...TARGETS])].sort(
    (one, other) => one.split('/').length - other.split('/').length,
  )
  const clients = await stage.cast(...names)
  const named = new Map(names.map((name, index) => [name, clients[index]!]))
  for (const client of clients) await client.device.publishKeyPackages(60)
  const of = <Key extends string>(keys: Record<Key, string>) =>
    Object.fromEntries(Object.entries<string>(keys).map(([key, name]) => [key, named.get(name)!])) as Record<Key, Client>
  return {
    actors: of(CAST),
    targets: of(Object.fromEntries(TARGETS.map((name) => [name, name])) as Record<(typeof TARGETS)[number], string>),
  }
}

export function isInside(actor: Actor): boolean {
  return ACTORS[actor].member
}

const RIGHT_CODE = 'open sesame'

/** A group in which everybody stands as the table says, under one policy. */
export class Scene {
  private constructor(
    readonly stage: Stage,
    readonly people: People,
    readonly group: Group,
    readonly state: State,
    readonly choices: Choices,
    /** A Commit that all members have read. */
    readonly commitSeq: number,
  ) {}

  static async make(stage: Stage, people: People, mode: Mode, state: State, choices: Choices): Promise<Scene> {
    const { actors, targets } = people
    const alice = actors.admin
    const group = await alice.createGroup({ groupId: utf8(randomUUID()), mode, policy: { external_join: 'open' } })
    const staying = [
      actors.member,
      actors['banned member'],
      targets.carol,
      targets['alice/desk'],
      targets['bob/desk'],
      targets['bert/desk'],
    ]
    const going = [actors['member’s removed device'], actors['former member, removed'], actors['former member, removed and banned']]
    await add(group, [...staying, ...going, actors['former member, left']])
    await group.remove(...going.map(({ uri }) => uri))
    await stage.sync(actors['former member, left'])
    await at(actors['former member, left'], group).leave()
    await stage.sync(alice)
    await (mode === 'public' ? group.settle() : group.remove(actors['former member, left'].uri))
    for (const actor of ['banned member', 'former member, removed and banned', 'banned stranger'] as const)
      await alice.device.http.put(`${group.path}/bans/${localName(actors[actor])}`)
    const { head_seq: commitSeq } = await alice.device.http.get<{ head_seq: number }>(group.path)
    await stage.sync(targets.carol)
    await at(targets.carol, group).update()
    await stage.sync(alice)
    await alice.device.http.put(`${group.path}/policy`, policyOf(choices))
    if (state === 'frozen') await alice.device.http.post(`${group.path}/reset`)
    await stage.sync(...staying)
    const scene = new Scene(stage, people, group, state, choices, commitSeq + 1)
    for (const one of [alice, ...staying]) at(one, group).record.externalJoin = choices.external_join !== 'none'
    return scene
  }

  get mode(): Mode {
    return this.group.record.mode
  }

  /** The group as the actor knows it; for those who are out as bob does, whose bytes they have got hold of. */
  as(actor: Actor): Group {
    const { actors } = this.people
    return at(isInside(actor) ? actors[actor] : actors.member, this.group)
  }

  /** A device of the same user: one that is in the group, or one that is not. */
  own(actor: Actor, which: 'desk' | 'watch'): Client {
    const user = actor === 'admin' ? 'alice' : actor === 'banned member' ? 'bert' : 'bob'
    return this.people.targets[`${user}/${which}`]
  }

  get code(): string | undefined {
    if (this.choices.external_join === 'right code') return RIGHT_CODE
    return this.choices.external_join === 'wrong code' ? 'open barley' : undefined
  }
}

function policyOf({ external_join, ...choices }: Choices): object {
  return external_join.endsWith('code') ? { ...choices, external_join: 'code', join_code: RIGHT_CODE } : { ...choices, external_join }
}

function localName({ user }: Client): string {
  return user.split('/u/')[1]!
}

async function add(group: Group, devices: readonly Client[]): Promise<void> {
  const proposals = await Promise.all(devices.map((device) => addOf(group, device)))
  await group.commit(() => proposals)
}

/** With a KeyPackage that the server handed out: by it the Welcome of a private group finds its device. */
async function addOf({ device }: Pick<Group, 'device'>, target: Client): Promise<Proposal> {
  const { key_packages: claimed } = await device.claim(target.user, 1)
  const own = claimed.find(({ client }) => client === target.uri)!
  return { proposalType: 'add', add: { keyPackage: decodeKeyPackageMessage(own.key_package) } }
}

function removeOf(group: Group, ...targets: readonly Client[]): Proposal[] {
  return targets.map(({ uri }) => {
    const removed = group.record.state.ratchetTree.findIndex((node) => node?.nodeType === 'leaf' && isOf(node.leaf.credential, uri)) / 2
    return { proposalType: 'remove', remove: { removed } }
  })
}

function isOf(credential: object, uri: string): boolean {
  return 'identity' in credential && credential.identity instanceof Uint8Array && Buffer.from(credential.identity).toString() === uri
}

function reinitOf(group: Group): Proposal {
  const { cipherSuite, extensions } = group.record.state.groupContext
  return { proposalType: 'reinit', reinit: { groupId: utf8(randomUUID()), version: 'mls10', cipherSuite, extensions } }
}

type Try = (scene: Scene, actor: Actor, client: Client) => Promise<unknown>

/** A Commit of the actor, or of another with the actor's session. */
function commits(proposals: (scene: Scene, actor: Actor, group: Group) => Proposal[] | Promise<Proposal[]>): Try {
  return async (scene, actor, client) => {
    const group = scene.as(actor)
    await submit(client, group, (await draft(group, await proposals(scene, actor, group))).bundle)
  }
}

function proposes(proposal: (scene: Scene, actor: Actor, group: Group) => Proposal | Promise<Proposal>): Try {
  return async (scene, actor, client) => {
    const group = scene.as(actor)
    const { impl } = await suite(group.record.suite)
    const { message } = await createProposal(group.record.state, scene.mode === 'public', await proposal(scene, actor, group), impl)
    await client.device.http.post(`${group.path}/proposals`, { proposal: encodeMlsMessage(message) })
  }
}

const reads =
  (place: string): Try =>
  (scene, _, { device }) =>
    device.http.get(`${scene.group.path}${place}`)
const asks =
  (method: 'put' | 'post' | 'delete', place: string, body?: object): Try =>
  (scene, _, { device }) =>
    method === 'delete' ? device.http.delete(`${scene.group.path}${place}`) : device.http[method](`${scene.group.path}${place}`, body)

async function joinsExternally(scene: Scene, actor: Actor, { device }: Client): Promise<void> {
  const { impl } = await suite(1)
  const { group } = scene
  const own = await device.newKeyPackage(1)
  const tree = group.record.state.ratchetTree
  const resync = isInside(actor)
  const joined = await joinByGroupInfo(await groupInfoOf(group), own, { tree, resync }, impl)
  const state = settled(joined.newState)
  await device.http.post(`${group.path}/commits`, {
    commit: encodeMlsMessage({ version: 'mls10', wireformat: 'mls_public_message', publicMessage: joined.publicMessage }),
    group_info: await groupInfo(state, impl),
    ...(scene.mode === 'private' ? { ratchet_tree: encodeTree(state.ratchetTree) } : {}),
    ...(scene.code === undefined ? {} : { join_code: scene.code }),
  })
}

async function proposesToBeAdded(scene: Scene, _: Actor, { device }: Client): Promise<void> {
  const own = await device.newKeyPackage(1)
  const proposal = await proposeAddExternal(await groupInfoOf(scene.group), own.public, own.private, (await suite(1)).impl)
  await device.http.post(`${scene.group.path}/proposals`, { proposal: encodeMlsMessage(proposal) })
}

/** How each action of the table is tried, with real messages. */
export const TRIES: Record<Action, Try> = {
  'read-group': reads(''),
  'read-policy': reads('/policy'),
  'read-log': reads('/log'),
  'read-group-info': async ({ group, code }, _, { device }) => {
    const headers: Record<string, string> = code === undefined ? {} : { 'join-code': code }
    await device.http.get(`${group.path}/group-info`, headers)
    await device.http.get(`${group.path}/tree`, headers)
  },
  'read-sender-keys': reads('/sender-keys'),
  'publish-sender-key': (scene, actor, client) => publishSenderKey(new Group(client.device, scene.as(actor).record)),
  'post-message': async (scene, actor, { device }) => {
    const message = await scene.as(actor).encrypt('hello', scene.as(actor).epoch)
    await device.http.postMessage(`${scene.group.path}/messages`, message)
  },

  'commit-update': commits(() => []),
  'commit-add': commits(async ({ people }, _, group) => [await addOf(group, people.targets.dave)]),
  'commit-add-own': commits(async (scene, actor, group) => [await addOf(group, scene.own(actor, 'watch'))]),
  'commit-remove': commits(({ people }, _, group) => removeOf(group, people.targets.carol)),
  'commit-remove-own': commits((scene, actor, group) => removeOf(group, scene.own(actor, 'desk'))),
  'commit-remove-leaving': async (scene, actor, client) => {
    const { carol } = scene.people.targets
    if (scene.state === 'open') await at(carol, scene.group).leave()
    if (scene.mode === 'public' && isInside(actor)) await scene.stage.sync(client)
    await commits((_, __, group) => (scene.mode === 'public' ? [] : removeOf(group, carol)))(scene, actor, client)
  },
  'commit-reinit': commits((_, __, group) => [reinitOf(group)]),
  'commit-join': joinsExternally,

  'propose-add': proposes(({ people }, _, group) => addOf(group, people.targets.dave)),
  'propose-remove': proposes(({ people }, _, group) => removeOf(group, people.targets.carol)[0]!),
  'propose-remove-own': proposes((scene, actor, group) => removeOf(group, scene.own(actor, 'desk'))[0]!),
  'propose-reinit': proposes((_, __, group) => reinitOf(group)),
  'propose-join': proposesToBeAdded,

  leave: asks('post', '/leave'),
  report: (scene, _, { device }) => device.http.post(`${scene.group.path}/reports`, { seq: scene.commitSeq, reason: 'undecryptable' }),
  reset: asks('post', '/reset'),
  'create-successor': (scene, _, client) =>
    client.createGroup({ groupId: utf8(randomUUID()), mode: scene.mode, successorOf: scene.group.record.groupId }),
  'create-branch': async (scene, actor, client) => {
    const { carol } = scene.people.targets
    await client.beginAfter({ before: scene.as(actor).record, origin: 'branch', groupId: utf8(randomUUID()), users: [carol.user] })
    // Her Welcome into the branch, which nobody needs.
    await scene.stage.pool.query('DELETE FROM inbox WHERE device_id = $1', [await scene.stage.deviceId(carol)])
  },
  delete: asks('delete', ''),

  'change-policy': (scene, _, { device }) => device.http.put(`${scene.group.path}/policy`, policyOf(scene.choices)),
  'make-admin': (scene, _, { device }) => device.http.put(`${scene.group.path}/admins/${localName(scene.people.targets.carol)}`),
  'dismiss-admin': (scene, _, { device }) => device.http.delete(`${scene.group.path}/admins/${localName(scene.people.targets.carol)}`),
  ban: (scene, _, { device }) => device.http.put(`${scene.group.path}/bans/${localName(scene.people.targets.dave)}`),
  unban: (scene, _, { device }) => device.http.delete(`${scene.group.path}/bans/${localName(scene.people.targets.dave)}`),
}
