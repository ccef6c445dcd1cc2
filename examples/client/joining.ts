import { createGroup, decodeMlsMessage, encodeMlsMessage, type ClientState, type GroupInfo, type Welcome } from 'ts-mls'
import { decodeExternalSender } from 'ts-mls/externalSender.js'
import { groupInfo } from './commits.js'
import type { Device } from './device.js'
import { NoAnswer, ServerProblem } from './http.js'
import { judgeLeaves, requiresCertificates, requiringCertificates } from './identity/group-check.js'
import { joinByGroupInfo } from './mls/external-join.js'
import { externalSenders } from './mls/external-senders.js'
import type { StateOf } from './mls/resumption.js'
import { clientConfig, suite } from './mls/suites.js'
import { decodeTree, encodeTree, settled } from './mls/tree.js'
import { joinWelcome } from './mls/welcome.js'
import type { GroupRecord, Mode, Store, StoredKeyPackage } from './store.js'
import { named, sha256, toBase64Url, toHex } from './wire.js'
import { unverifiedAtJoining } from './x509/unverified.js'

export interface NewGroup {
  groupId: Uint8Array
  mode?: Mode
  suite?: number
  room?: string
  successorOf?: Uint8Array
  /** `any`: without certificates in its leaves. Members of the old kind can be in such groups only. */
  identities?: 'certified' | 'any'
  policy?: {
    external_join?: 'same-user' | 'code' | 'open' | 'none'
    join_code?: string
    add_members?: string
    remove_members?: string
    reports_to_reset?: number
    identities?: 'certified' | 'any'
  }
}
interface Created {
  group_id: Uint8Array
  incarnation: number
  seq: number
  room: string
}
interface ExternalSenderKeys {
  external_senders: { cipher_suites: number[]; external_sender: Uint8Array }[]
}
interface GroupView {
  mode: Mode
  incarnation: number
  cipher_suite: number
  /** The group whose place it took after a reset or a ReInit, as the server says. */
  successor_of?: Uint8Array
}

const fresh = () => ({
  sent: new Map<string, string>(),
  messages: [],
  failures: [],
  quarantine: [],
  newLeaves: [],
  putOut: [],
  wishing: [],
})

/**
 * Creates a group of one. It lists the server as an external sender, so that the server can propose removals. In private mode
 * a policy of `external_join: 'none'` keeps the roster from the server. What takes the place of a certified group is certified, also where the caller asks for less.
 * @param groupOf the groups that this device knows
 */
export async function createOnServer(device: Device, wish: NewGroup, groupOf: GroupOf = () => undefined): Promise<GroupRecord> {
  const mode = wish.mode ?? 'public'
  const suiteId = wish.suite ?? device.suites[0] ?? 1
  const { impl } = await suite(suiteId)
  const own = await device.newKeyPackage(suiteId)
  const created = await createGroup(wish.groupId, own.public, own.private, [], impl, clientConfig)
  const before = wish.successorOf && groupOf(wish.successorOf)
  const certified = device.record.certified && (before?.certified === true || (wish.identities ?? wish.policy?.identities) !== 'any')
  const extensions = [await serverAsSender(device, suiteId), ...(certified ? [requiringCertificates()] : [])]
  const state = { ...created, groupContext: { ...created.groupContext, extensions } }
  const answer = await device.http.post<Created>('/v1/groups', {
    mode,
    group_info: await groupInfo(state, impl),
    ratchet_tree: encodeTree(state.ratchetTree),
    ...policyOf(wish),
    ...(wish.room === undefined ? {} : { room: wish.room }),
    ...(wish.successorOf === undefined ? {} : { successor_of: wish.successorOf }),
  })
  const { group_id: groupId, incarnation, seq } = answer
  return recordOf(device, { incarnation, seq, groupId, mode, suite: suiteId, state, former: { certified } })
}

/** The server makes certified what a user with a device list creates, unless the request says otherwise. */
function policyOf({ policy, identities }: NewGroup): { policy?: NewGroup['policy'] } {
  if (identities === undefined) return policy === undefined ? {} : { policy }
  return { policy: { ...policy, identities } }
}

async function serverAsSender(device: Device, suiteId: number) {
  const { external_senders } = await device.http.get<ExternalSenderKeys>('/v1/external-senders')
  const senders = external_senders
    .filter((key) => key.cipher_suites.includes(suiteId))
    .map((key) => {
      const decoded = decodeExternalSender(key.external_sender, 0)
      if (!decoded) throw new Error('The server sent an ExternalSender that does not decode')
      return decoded[0]
    })
  return externalSenders(senders)
}

export interface WelcomeItem {
  group_id: Uint8Array
  incarnation: number
  epoch: number
  seq: number
  welcome: Uint8Array
}

/**
 * Joins by a Welcome from the inbox. In public mode the tree comes from the server, as of the epoch we join at.
 * @param known the groups that this device knows: one of them may be the group before, or this one, which it was out of
 */
export async function joinByWelcome(device: Device, item: WelcomeItem, known: Known): Promise<GroupRecord> {
  const welcome = decodeWelcome(item.welcome)
  const stored = findKeyPackage(device, welcome)
  const { impl } = await suite(stored.suite)
  const path = `/v1/groups/${toBase64Url(item.group_id)}`
  const view = await device.http.get<GroupView>(path)
  const tree = view.mode === 'public' ? decodeTree(await fetchTree(device, path, item.epoch)) : undefined
  let before: GroupRecord | undefined
  const stateOf: StateOf = (mlsGroupId) => (before = known.formerInMls(mlsGroupId, view.successor_of))?.state
  const state = await joinWelcome(welcome, stored, impl, { tree, stateOf })
  const own = known.group(item.group_id)
  // After a reset nothing in MLS names the group before: the server's word counts for more certificates, not for fewer.
  before ??= view.successor_of && known.group(view.successor_of)
  const former = own ?? (before && { certified: before.certified })
  const { incarnation, seq } = item
  const joined = { incarnation, seq, groupId: item.group_id, mode: view.mode, suite: stored.suite, state: settled(state) }
  const record = await recordOf(device, { ...joined, former })
  // A one-time KeyPackage is spent; its init key must go (RFC 9420 §16.8). Last, so that a lost connection leaves it for the next try.
  if (!stored.lastResort) device.record.keyPackages.delete(stored.ref)
  return record
}

type Known = Pick<Store, 'group' | 'formerInMls'>
type GroupOf = (groupId: Uint8Array) => GroupRecord | undefined

/** What is known of the group besides: its user, the device's own past in it, or the group before it says so. */
export type Former = Pick<GroupRecord, 'certified'> & Partial<Pick<GroupRecord, 'joiners' | 'putOut'>>

type Joined = Pick<GroupRecord, 'groupId' | 'mode' | 'suite' | 'incarnation' | 'state'> & { seq: number; former?: Former | undefined }

/** What a device keeps of a group that it is in from the entry after `seq` on. What it knew before, the server's policy cannot make less. */
export async function recordOf(device: Device, joined: Joined): Promise<GroupRecord> {
  return record(device, joined, await device.http.get<Policy>(`/v1/groups/${toBase64Url(joined.groupId)}/policy`))
}

async function record(
  device: Device,
  { seq, former, groupId, mode, suite, incarnation, state }: Joined,
  policy: Policy,
): Promise<GroupRecord> {
  const joined = { groupId, mode, suite, incarnation, state }
  const certified = (former?.certified ?? false) || policy.identities === 'certified' || requiresCertificates(state)
  const others = policy.external_join === 'code' || policy.external_join === 'open'
  const joiners = former?.joiners ?? (others ? 'others' : 'same-user')
  const begun = { ...fresh(), ...joined, joinedAt: seq, cursor: seq, certified, joiners, putOut: former?.putOut ?? [] }
  const externalJoin = policy.external_join !== 'none'
  const { failing: quarantine, newLeaves } = await judgeLeaves(device, begun, state)
  const unverified = await unverifiedAtJoining(device, begun)
  return { ...begun, externalJoin, standing: 'member', quarantine, newLeaves, unverified }
}

interface Policy {
  external_join: string
  identities?: 'certified' | 'any'
}

interface TreeAnswer {
  ratchet_tree: Uint8Array
}
interface InfoAnswer {
  group_info: Uint8Array
  mode?: Mode
  incarnation?: number
}

async function fetchTree(device: Device, path: string, epoch: number, headers = {}): Promise<Uint8Array> {
  return (await device.http.get<TreeAnswer>(`${path}/tree?epoch=${epoch}`, headers)).ratchet_tree
}

export interface ExternalJoin {
  groupId: Uint8Array
  mode: Mode
  suite: number
  joinCode?: string
  resync?: boolean
  former?: Former | undefined
}

/**
 * Joins by an external Commit (RFC 9420 §12.4.3.2): nobody has to be online to add us. With `resync` the Commit also removes
 * our own former leaf.
 */
export async function joinExternally(device: Device, wish: ExternalJoin): Promise<GroupRecord> {
  const path = `/v1/groups/${toBase64Url(wish.groupId)}`
  const { impl } = await suite(wish.suite)
  const own = await device.newKeyPackage(wish.suite)
  const code = wish.joinCode === undefined ? {} : { 'join-code': wish.joinCode }
  const answer = await device.http.get<InfoAnswer>(`${path}/group-info`, code)
  const info = decodeGroupInfo(answer.group_info)
  const tree = decodeTree(await fetchTree(device, path, Number(info.groupContext.epoch), code))
  const joined = await joinByGroupInfo(info, own, { tree, resync: wish.resync ?? false }, impl)
  const state: ClientState = settled(joined.newState)
  const commit = encodeMlsMessage({ version: 'mls10', wireformat: 'mls_public_message', publicMessage: joined.publicMessage })
  const bundle = {
    commit,
    group_info: await groupInfo(state, impl),
    ...(wish.mode === 'private' ? { ratchet_tree: encodeTree(state.ratchetTree) } : {}),
    ...(wish.joinCode === undefined ? {} : { join_code: wish.joinCode }),
    ...named(answer),
  }
  const { seq, incarnation } = await device.http.post<{ seq: number; incarnation: number }>(`${path}/commits`, bundle)
  const made = await record(device, { ...wish, seq, incarnation, state }, await policyFor(device, path))
  return { ...made, externalJoin: true, sent: new Map([[toHex(sha256(commit)), '']]) }
}

/** The device is in by now, with what it knows itself, if the server says nothing of its policy. */
async function policyFor({ http }: Device, path: string): Promise<Policy> {
  try {
    return await http.get<Policy>(`${path}/policy`)
  } catch (error) {
    if (!(error instanceof ServerProblem || error instanceof NoAnswer)) throw error
    return { external_join: 'same-user' }
  }
}

function decodeWelcome(bytes: Uint8Array): Welcome {
  const decoded = decodeMlsMessage(bytes, 0)?.[0]
  if (decoded?.wireformat !== 'mls_welcome') throw new Error('Not a Welcome')
  return decoded.welcome
}

function decodeGroupInfo(bytes: Uint8Array): GroupInfo {
  const decoded = decodeMlsMessage(bytes, 0)?.[0]
  if (decoded?.wireformat !== 'mls_group_info') throw new Error('Not a GroupInfo')
  return decoded.groupInfo
}

function findKeyPackage(device: Device, welcome: Welcome): StoredKeyPackage {
  const found = welcome.secrets.map((secret) => device.record.keyPackages.get(toHex(secret.newMember))).find((one) => one !== undefined)
  if (!found) throw new Error('This Welcome is for none of our KeyPackages')
  return found
}
