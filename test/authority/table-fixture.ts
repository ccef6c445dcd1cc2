import { randomUUID } from 'node:crypto'
import { createProposal, encodeMlsMessage, proposeAddExternal, type Proposal } from 'ts-mls'
import type { Client } from '../../examples/client/client.js'
import { groupInfo } from '../../examples/client/commits.js'
import { Group } from '../../examples/client/group.js'
import { joinByGroupInfo } from '../../examples/client/mls/external-join.js'
import { suite } from '../../examples/client/mls/suites.js'
import { encodeTree, settled } from '../../examples/client/mls/tree.js'
import { utf8 } from '../../examples/client/wire.js'
import { publishSenderKey } from '../../examples/client/sealed/sender-key.js'
import type { Action } from '../../src/groups/authority/actions.js'
import type { Actor } from '../../src/groups/authority/table.js'
import { at, draft, submit } from '../groups/group-fixture.js'
import { emptyPrivateMessage, groupInfoOf } from '../groups/hostile.js'

import { addOf, isInside, localName, policyOf, reinitOf, removeOf, withoutExternalSenders, type Scene } from './scene-fixture.js'

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

/** The group has another admin then, so that this right does not end for the last one. */
async function makesCarolAdmin({ people: { actors, targets }, group }: Scene): Promise<void> {
  await actors.admin.device.http.put(`${group.path}/admins/${localName(targets.carol)}`)
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
    const { record, epoch } = scene.as(actor)
    // Where a Remove waits, the client library sends nothing.
    const waits = Object.keys(record.state.unappliedProposals).length > 0
    const message = waits ? emptyPrivateMessage(record.groupId, BigInt(epoch), 1) : await scene.as(actor).encrypt('hello', epoch)
    await device.http.postMessage(`${scene.group.path}/messages`, message)
  },

  'commit-update': commits(() => []),
  'commit-add': commits(async ({ people }, _, group) => [await addOf(group, people.targets.dave)]),
  'commit-add-own': commits(async (scene, actor, group) => [await addOf(group, scene.own(actor, 'watch'))]),
  'commit-remove': commits(({ people }, _, group) => removeOf(group, people.targets.carol)),
  'commit-remove-admin': async (scene, actor, client) => {
    await makesCarolAdmin(scene)
    await commits(({ people }, _, group) => removeOf(group, people.targets.carol))(scene, actor, client)
  },
  'commit-remove-own': commits((scene, actor, group) => removeOf(group, scene.own(actor, 'desk'))),
  'commit-remove-leaving': async (scene, actor, client) => {
    const { carol } = scene.people.targets
    if (scene.state === 'open') await at(carol, scene.group).leave()
    if (scene.mode === 'public' && isInside(actor) && scene.state !== 'reinitialized') await scene.stage.sync(client)
    await commits((_, __, group) => (scene.mode === 'public' ? [] : removeOf(group, carol)))(scene, actor, client)
  },
  'commit-reinit': commits((_, __, group) => [reinitOf(group)]),
  // ts-mls makes a path for the Remove only, and the extensions need one too.
  'commit-extensions': commits((scene, actor, group) => [withoutExternalSenders(), ...removeOf(group, scene.own(actor, 'desk'))]),
  'commit-join': joinsExternally,

  'propose-add': proposes(({ people }, _, group) => addOf(group, people.targets.dave)),
  'propose-remove': proposes(({ people }, _, group) => removeOf(group, people.targets.carol)[0]!),
  'propose-remove-admin': async (scene, actor, client) => {
    await makesCarolAdmin(scene)
    await proposes(({ people }, _, group) => removeOf(group, people.targets.carol)[0]!)(scene, actor, client)
  },
  'propose-remove-own': proposes((scene, actor, group) => removeOf(group, scene.own(actor, 'desk'))[0]!),
  'propose-reinit': proposes((_, __, group) => reinitOf(group)),
  'propose-extensions': proposes(() => withoutExternalSenders()),
  'propose-join': proposesToBeAdded,

  'choose-delivery': asks('put', '/delivery', { delivery: 'all' }),
  leave: asks('post', '/leave'),
  report: (scene, _, { device }) => device.http.post(`${scene.group.path}/reports`, { seq: scene.commitSeq, reason: 'undecryptable' }),
  reset: asks('post', '/reset'),
  'reset-by-reports': async (scene, _, { device }) => {
    // Of three users, as many as the policy asks for by default.
    for (const witness of ['alice/desk', 'bob/desk', 'bert/desk'] as const)
      await scene.people.targets[witness].device.http.post(`${scene.group.path}/reports`, { seq: scene.commitSeq, reason: 'undecryptable' })
    await device.http.post(`${scene.group.path}/reset`)
  },
  'undo-reset': asks('delete', '/reset'),
  'create-successor': (scene, _, client) =>
    client.createGroup({ groupId: scene.announced ?? utf8(randomUUID()), mode: scene.mode, successorOf: scene.group.record.groupId }),
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
