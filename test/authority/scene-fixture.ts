import { randomUUID } from 'node:crypto'
import type { Proposal } from 'ts-mls'
import type { Client } from '../../examples/client/client.js'
import type { Group } from '../../examples/client/group.js'
import { decodeKeyPackageMessage } from '../../examples/client/mls/key-package-message.js'
import { toHex, utf8 } from '../../examples/client/wire.js'
import { ACTORS, type Actor, type Choices, type Mode, type State } from '../../src/groups/authority/table.js'
import { at, draft, type Stage } from '../groups/group-fixture.js'
import { StoredList } from '../identity/lists-fixture.js'

/** A device for each actor of the table, and those that things are done to. */
const CAST = {
  admin: 'alice',
  'admin’s other device': 'alice/tablet',
  member: 'bob',
  'banned member': 'bert',
  'member’s other device': 'bob/laptop',
  'member’s certified device': 'bob/reader',
  'member’s removed device': 'bob/tablet',
  'former member, left': 'lefty',
  'former member, removed': 'rita',
  'former member, removed and banned': 'ron',
  'member that is leaving': 'lena',
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
  stage.identity = false
  const clients = await stage.cast(...names)
  const named = new Map(names.map((name, index) => [name, clients[index]!]))
  for (const client of clients) await client.device.publishKeyPackages(60)
  const [bob, certified] = [named.get('bob')!, named.get(CAST['member’s certified device'])!]
  const list = await StoredList.begin(stage.pool, bob)
  await list.certify(certified, await list.certify(bob))
  const of = <Key extends string>(keys: Record<Key, string>) =>
    Object.fromEntries(Object.entries<string>(keys).map(([key, name]) => [key, named.get(name)!])) as Record<Key, Client>
  return {
    actors: of(CAST),
    targets: of(Object.fromEntries(TARGETS.map((name) => [name, name])) as Record<(typeof TARGETS)[number], string>),
  }
}

/** Has a leaf. */
export function isInside(actor: Actor): boolean {
  return ACTORS[actor].member || ACTORS[actor].leaving
}

const RIGHT_CODE = 'open sesame'

/** A group in which everybody stands as the table says, under one policy. */
export class Scene {
  private static readonly live = new Set<Scene>()
  /** Devices that have read what happened until the scene was set. */
  private readonly readers = new Set<Client>()

  private constructor(
    readonly stage: Stage,
    readonly people: People,
    readonly group: Group,
    readonly state: State,
    readonly choices: Choices,
    /** A Commit that all members have read. */
    readonly commitSeq: number,
    /** The group id that its ReInit has announced. */
    readonly announced: Uint8Array | undefined,
  ) {}

  static async make(stage: Stage, people: People, mode: Mode, state: State, choices: Choices, actor: Actor): Promise<Scene> {
    const { actors, targets } = people
    const alice = actors.admin
    const group = await alice.createGroup({ groupId: utf8(randomUUID()), mode, policy: { external_join: 'open' } })
    const staying = [
      actors.member,
      actors['member that is leaving'],
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
    await (mode === 'public' ? group.settle() : group.update())
    for (const actor of ['banned member', 'former member, removed and banned', 'banned stranger'] as const)
      await alice.device.http.put(`${group.path}/bans/${localName(actors[actor])}`)
    const { head_seq: commitSeq } = await alice.device.http.get<{ head_seq: number }>(group.path)
    await stage.sync(targets.carol)
    await at(targets.carol, group).update()
    await stage.sync(alice)
    await alice.device.http.put(`${group.path}/policy`, policyOf(choices))
    // Where nobody asks for it, it would be in the way of a ReInit.
    if (actor === 'member that is leaving') {
      await stage.sync(actors[actor])
      await actors[actor].device.http.post(`${group.path}/leave`)
    }
    // A client that had read the ReInit would not even try to say anything after it.
    if (state === 'reinitialized') await stage.sync(...staying)
    const announced = await stop(stage, group, state)
    const scene = new Scene(stage, people, group, state, choices, commitSeq + 1, announced)
    Scene.live.add(scene)
    for (const one of state === 'reinitialized' ? [alice, ...staying] : [alice]) scene.noteReader(one)
    return scene
  }

  /** Nobody knows its group any more, nor those that came of it: who reads would read all of them each time. */
  async end(): Promise<void> {
    Scene.live.delete(this)
    const kept = new Set([...Scene.live].map(({ group }) => toHex(group.record.groupId)))
    const clients = [...Object.values(this.people.actors), ...Object.values(this.people.targets)]
    for (const { groups, store } of clients)
      for (const id of groups.keys()) {
        if (kept.has(id)) continue
        groups.delete(id)
        store.groups.delete(id)
      }
    await this.stage.pool.query('DELETE FROM inbox WHERE gid = $1', [await this.stage.gid(this.group)])
  }

  /** The actor, and bob, who lends his view to those who are out, have read everything. Others read when they act: that takes most of a scene's time. */
  async ready(actor: Actor): Promise<void> {
    const { actors } = this.people
    for (const client of new Set([actors.member, ...(isInside(actor) ? [actors[actor]] : [])])) {
      if (this.readers.has(client)) continue
      await this.stage.sync(client)
      this.noteReader(client)
    }
  }

  private noteReader(client: Client): void {
    this.readers.add(client)
    at(client, this.group).record.externalJoin = this.choices.external_join !== 'none'
  }

  get mode(): Mode {
    return this.group.record.mode
  }

  /** The group as the actor knows it; for those who are out as bob does, whose bytes they have got hold of. */
  as(actor: Actor): Group {
    const { actors } = this.people
    // A client whose own Remove waits commits nothing.
    return at(ACTORS[actor].member ? actors[actor] : actors.member, this.group)
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

/** @returns the id that a ReInit has announced */
async function stop(stage: Stage, group: Group, state: State): Promise<Uint8Array | undefined> {
  if (state === 'open') return undefined
  const { http } = group.device
  // Nobody reads the Commit: a client does not even try to say anything after it.
  if (state === 'reinitialized') {
    const announced = utf8(randomUUID())
    await http.post(`${group.path}/commits`, (await draft(group, [reinitOf(group, announced)])).bundle)
    return announced
  }
  await http.post(`${group.path}/reset`)
  if (state === 'frozen for longer')
    await stage.pool.query("UPDATE groups SET reserved_until = reserved_until - interval '1 day' WHERE gid = $1", [await stage.gid(group)])
  return undefined
}

export function policyOf({ external_join, ...choices }: Choices): object {
  return external_join.endsWith('code') ? { ...choices, external_join: 'code', join_code: RIGHT_CODE } : { ...choices, external_join }
}

export function localName({ user }: Client): string {
  return user.split('/u/')[1]!
}

async function add(group: Group, devices: readonly Client[]): Promise<void> {
  const proposals = await Promise.all(devices.map((device) => addOf(group, device)))
  await group.commit(() => proposals)
}

/** With a KeyPackage that the server handed out: by it the Welcome of a private group finds its device. */
export async function addOf({ device }: Pick<Group, 'device'>, target: Client): Promise<Proposal> {
  const { key_packages: claimed } = await device.claim(target.user, 1)
  const own = claimed.find(({ client }) => client === target.uri)!
  return { proposalType: 'add', add: { keyPackage: decodeKeyPackageMessage(own.key_package) } }
}

export function removeOf(group: Group, ...targets: readonly Client[]): Proposal[] {
  return targets.map(({ uri }) => {
    const removed = group.record.state.ratchetTree.findIndex((node) => node?.nodeType === 'leaf' && isOf(node.leaf.credential, uri)) / 2
    return { proposalType: 'remove', remove: { removed } }
  })
}

function isOf(credential: object, uri: string): boolean {
  return 'identity' in credential && credential.identity instanceof Uint8Array && Buffer.from(credential.identity).toString() === uri
}

export function reinitOf(group: Group, groupId = utf8(randomUUID())): Proposal {
  const { cipherSuite, extensions } = group.record.state.groupContext
  return { proposalType: 'reinit', reinit: { groupId, version: 'mls10', cipherSuite, extensions } }
}

/** Extensions without the server among the external senders. One has to be left, or ts-mls changes nothing. */
export function withoutExternalSenders(): Proposal {
  const extensions = [{ extensionType: 'required_capabilities' as const, extensionData: new Uint8Array(3) }]
  return { proposalType: 'group_context_extensions', groupContextExtensions: { extensions } }
}
