import { randomUUID } from 'node:crypto'
import { expect } from '@jest/globals'
import {
  createCommit,
  createGroup,
  encodeMlsMessage,
  generateKeyPackageWithKey,
  makePskIndex,
  type ClientState,
  type Extension,
  type Proposal,
} from 'ts-mls'
import type { KeyPackage } from 'ts-mls/keyPackage.js'
import { makeResumptionPsk } from 'ts-mls/resumption.js'
import type { Client } from '../../examples/client/client.js'
import { groupInfo } from '../../examples/client/commits.js'
import { Group } from '../../examples/client/group.js'
import { decodeKeyPackageMessage } from '../../examples/client/mls/key-package-message.js'
import { capabilities, clientConfig, lifetime, suite, suiteName } from '../../examples/client/mls/suites.js'
import { encodeTree } from '../../examples/client/mls/tree.js'
import type { Mode } from '../../examples/client/store.js'
import { utf8 } from '../../examples/client/wire.js'
import { at, type Stage } from './group-fixture.js'

export interface Wish {
  /** The group before it, as the creator knows it; its PSK goes into the Welcome. */
  before?: ClientState
  usage?: 'branch' | 'reinit'
  groupId?: Uint8Array
  suite?: number
  mode?: Mode
  extensions?: Extension[]
}

/** A group that its creator has brought to epoch 1 by itself, and the body of `POST /v1/groups` for it. */
export interface Beginning {
  state: ClientState
  body: Record<string, unknown>
}

/** KeyPackages of all devices of these clients' users. */
export async function claimed(creator: Client, others: readonly Client[], suiteId = 1): Promise<KeyPackage[]> {
  const claims = await Promise.all(others.map(({ user }) => creator.device.claim(user, suiteId)))
  return claims.flatMap(({ key_packages: packages }) => packages.map((one) => decodeKeyPackageMessage(one.key_package)))
}

/** As the example client begins a group after another, but with anything in it, and not sent. */
export async function begin(creator: Client, keyPackages: readonly KeyPackage[], wish: Wish = {}): Promise<Beginning> {
  const { before, usage = 'branch', groupId = utf8(randomUUID()), suite: suiteId = 1, mode = 'public' } = wish
  const { impl } = await suite(suiteId)
  const own = await creator.device.newKeyPackage(suiteId)
  const alone = await createGroup(groupId, own.public, own.private, [], impl, clientConfig)
  const extensions = wish.extensions ?? before?.groupContext.extensions ?? []
  const founded = { ...alone, groupContext: { ...alone.groupContext, extensions } }
  const adds = keyPackages.map((keyPackage): Proposal => ({ proposalType: 'add', add: { keyPackage } }))
  const psk = before && makeResumptionPsk(before, usage, impl)
  const proposals: Proposal[] = psk ? [...adds, { proposalType: 'psk', psk: { preSharedKeyId: psk.id } }] : adds
  const made = await createCommit(
    { state: founded, cipherSuite: impl, pskIndex: makePskIndex(before, {}) },
    { extraProposals: proposals, ratchetTreeExtension: mode === 'private' },
  )
  const welcome = made.welcome && encodeMlsMessage({ version: 'mls10', wireformat: 'mls_welcome', welcome: made.welcome })
  return { state: made.newState, body: { mode, ...(await shown(made.newState, suiteId)), welcomes: welcome ? [welcome] : [] } }
}

/** GroupInfo and tree of a state, whatever it is. */
export async function shown(state: ClientState, suiteId = 1): Promise<Record<string, Uint8Array>> {
  return { group_info: await groupInfo(state, (await suite(suiteId)).impl), ratchet_tree: encodeTree(state.ratchetTree) }
}

export interface Created {
  group_id: Uint8Array
  room: string
  epoch: number
  seq: number
  incarnation: number
}

export function create(client: Client, body: object): Promise<Created> {
  return client.device.http.post<Created>('/v1/groups', body)
}

/** A ReInit that announces a group of this id, with the extensions that the group has. */
export function reinitOf(group: Group, groupId: Uint8Array, suiteId = 1): Proposal {
  const { extensions } = group.record.state.groupContext
  return { proposalType: 'reinit', reinit: { groupId, version: 'mls10', cipherSuite: suiteName(suiteId), extensions } }
}

/** One that was not published: of this device, unless `by` says otherwise. */
export async function keyPackageOf(
  client: Client,
  by: { identity?: string; signer?: Client | 'nobody'; lifetime?: { notBefore: bigint; notAfter: bigint } } = {},
): Promise<KeyPackage> {
  const { impl } = await suite(1)
  const credential = { credentialType: 'basic' as const, identity: utf8(by.identity ?? client.uri) }
  const keys = by.signer === 'nobody' ? await impl.signature.keygen() : (by.signer ?? client).device.record.keys.get(1)!
  return (await generateKeyPackageWithKey(credential, capabilities([1], []), by.lifetime ?? lifetime(), [], keys, impl)).publicPackage
}

/** All have the same secrets, also after a Commit by one who came by the Welcome. */
export async function goOn(stage: Stage, [alice, ...others]: readonly Client[], groupId: Uint8Array): Promise<void> {
  const group = alice!.group(groupId)
  for (const other of others) expect(at(other, group).epochAuthenticator).toBe(group.epochAuthenticator)
  await at(others[0]!, group).update()
  await stage.sync(alice!, ...others)
  for (const other of others) expect([at(other, group).epoch, at(other, group).epochAuthenticator]).toEqual([2, group.epochAuthenticator])
  await group.send('we continue')
  await stage.sync(...others)
  for (const other of others) expect(at(other, group).texts).toEqual(['we continue'])
}
