import { decodeMlsMessage, encodeMlsMessage, type CiphersuiteImpl, type GroupContext, type Proposal, type RatchetTree } from 'ts-mls'
import { decodeCredential } from 'ts-mls/credential.js'
import { encryptWithLabel } from 'ts-mls/crypto/hpke.js'
import { verifyWithLabel } from 'ts-mls/crypto/signature.js'
import { decodeGroupInfo } from 'ts-mls/groupInfo.js'
import { makeKeyPackageRef } from 'ts-mls/keyPackage.js'
import { decodeRatchetTree, encodeRatchetTree } from 'ts-mls/ratchetTree.js'
import { treeHashRoot } from 'ts-mls/treeHash.js'
import { decodeWelcome } from 'ts-mls/welcome.js'
import { bytes, opaque } from './codec.js'
import { decodeMls, hexOf } from './device.js'
import {
  encodeGroupInfoRefusal,
  encodeGroupInfoResponseTbs,
  encodeOpenGroupInfo,
  GROUP_INFO_CODES,
  type GroupInfoRequest,
} from './group-info-bodies.js'
import { applyCommit, isSignedBy, leafAt, publicMessageOf, refOf, type Applied, type Pending } from './hub-tree.js'
import { membersOf } from './mls-group.js'
import {
  SUBMIT_CODES,
  UPDATE_CODES,
  type CommitBundle,
  type Fanout,
  type HandshakeBundle,
  type ProposalBundle,
  type SubmitRequest,
  type SubmitResponse,
  type UpdateResponse,
} from './room-bodies.js'
import { HubKey, identityOf, SUITE } from './suite.js'
import { domainOf, providerUri, userOf } from './uris.js'

export interface RoomPolicy {
  /** Who shows it in a GroupInfoRequest may join (§5.6 d). */
  readonly joiningCode?: string
}

interface HubRoom {
  readonly uri: string
  readonly policy: RoomPolicy
  context: GroupContext
  groupInfo: Uint8Array
  tree: RatchetTree
  readonly pending: Map<string, Pending>
  /** Providers by the refs of KeyPackages that came from them for this room. */
  readonly routes: Map<string, string>
  /** Users who have shown the joining code. */
  readonly admitted: Set<string>
  turn: Promise<unknown>
}

/** Hands what a room has accepted to the provider of a domain, which may be this one. */
export type FanOut = (domain: string, room: string, fanouts: readonly Fanout[]) => void

/** The rooms that a provider is the hub of: one Commit per epoch, first come, first served. */
export class Hub {
  readonly rooms = new Map<string, HubRoom>()
  readonly key: HubKey

  constructor(
    readonly domain: string,
    private readonly impl: CiphersuiteImpl,
    private readonly fanOut: FanOut,
  ) {
    this.key = new HubKey(providerUri(domain))
  }

  create(uri: string, groupInfo: Uint8Array, tree: Uint8Array, policy: RoomPolicy): void {
    const { groupContext: context } = decodeMls(groupInfo, decodeGroupInfo)
    const state = { context, groupInfo, tree: decodeMls(tree, decodeRatchetTree), pending: new Map(), routes: new Map() }
    this.rooms.set(uri, { uri, policy, ...state, admitted: new Set(), turn: Promise.resolve() })
  }

  room(uri: string): HubRoom | undefined {
    return this.rooms.get(uri)
  }

  /** Remembers that a KeyPackage came from a provider, so that its Welcome goes there. */
  async remember(room: HubRoom, domain: string, keyPackageRef: string): Promise<void> {
    room.routes.set(keyPackageRef, domain)
  }

  isParticipant(room: HubRoom, user: string): boolean {
    return membersOf(room.tree).some(({ client }) => userOf(client) === user)
  }

  update(from: string, room: HubRoom, bundle: HandshakeBundle): Promise<UpdateResponse> {
    return inTurn(room, () => (bundle.kind === 'commit' ? this.#commit(from, room, bundle) : this.#propose(from, room, bundle)))
  }

  async #commit(from: string, room: HubRoom, bundle: CommitBundle): Promise<UpdateResponse> {
    const { impl } = this
    const message = publicMessageOf(bundle.message)
    if (!message || hexOf(message.content.groupId) !== hexOf(room.context.groupId)) return notAllowed('Not a Commit of this room')
    if (message.content.epoch !== room.context.epoch) return wrongEpoch(room)
    const refOfAdd = async (proposal: Extract<Proposal, { proposalType: 'add' }>) =>
      hexOf(await makeKeyPackageRef(proposal.add.keyPackage, impl.hash))
    const applied = await applyCommit(message, room.tree, room.pending, refOfAdd, impl).catch(() => undefined)
    if (!applied) return { code: UPDATE_CODES.invalidProposal, description: 'The Commit cannot be applied', invalidProposals: [] }
    if (domainOf(applied.committer) !== from) return notAllowed('The committer is of another provider')
    const leaf = committersLeaf(message, room.tree)
    if (!leaf || !(await isSignedBy(leaf, message, room.context, impl))) return notAllowed('The signature is wrong')
    const fault = this.#fault(room, applied) ?? (await this.#faultOfGroupInfo(room, bundle, applied)) ?? this.#faultOfWelcome(room, bundle)
    if (fault !== undefined) return notAllowed(fault)
    return this.#accept(room, bundle, applied)
  }

  #fault(room: HubRoom, applied: Applied): string | undefined {
    if (applied.external) {
      const user = userOf(applied.committer)
      return this.isParticipant(room, user) || room.admitted.has(user) ? undefined : 'The joiner is no participant'
    }
    const left = [...room.pending.values()].filter(({ ref, proposal }) => !applied.covered.has(ref) && !isDone(proposal, applied))
    if (left.length > 0) return 'Proposals are waiting'
    return applied.added.every(({ keyPackageRef }) => room.routes.has(keyPackageRef))
      ? undefined
      : 'A KeyPackage did not come over this hub'
  }

  async #faultOfGroupInfo({ context }: HubRoom, { groupInfo }: CommitBundle, { tree }: Applied): Promise<string | undefined> {
    const next = decodeMls(groupInfo, decodeGroupInfo).groupContext
    if (next.epoch !== context.epoch + 1n || hexOf(next.groupId) !== hexOf(context.groupId)) return 'The GroupInfo is of another epoch'
    const hash = await treeHashRoot(tree, this.impl.hash)
    return hexOf(next.treeHash) === hexOf(hash) ? undefined : 'The GroupInfo is of another tree'
  }

  #faultOfWelcome({ routes }: HubRoom, { welcome }: CommitBundle): string | undefined {
    if (!welcome) return undefined
    return refsOf(welcome).every((ref) => routes.has(ref)) ? undefined : 'The Welcome is for KeyPackages that did not come over this hub'
  }

  #accept(room: HubRoom, bundle: CommitBundle, applied: Applied): UpdateResponse {
    const before = membersOf(room.tree)
    const timestamp = BigInt(Date.now())
    room.tree = applied.tree
    room.groupInfo = bundle.groupInfo
    room.context = decodeMls(bundle.groupInfo, decodeGroupInfo).groupContext
    room.pending.clear()
    const welcomed = new Set((bundle.welcome ? refsOf(bundle.welcome) : []).flatMap((ref) => room.routes.get(ref) ?? []))
    const members = new Set([...before, ...membersOf(applied.tree)].map(({ client }) => domainOf(client)))
    const knew = new Set(before.map(({ client }) => domainOf(client)))
    if (applied.external) knew.add(domainOf(applied.committer))
    for (const domain of new Set([...members, ...welcomed])) {
      const commit: Fanout[] = knew.has(domain) ? [{ timestamp, kind: 'commit', message: bundle.message, others: [] }] : []
      const welcome: Fanout[] = welcomed.has(domain) && bundle.welcome ? [welcomeOf(bundle.welcome, timestamp, applied.tree)] : []
      this.fanOut(domain, room.uri, [...commit, ...welcome])
    }
    return { code: UPDATE_CODES.success, description: '', acceptedAt: timestamp }
  }

  async #propose(from: string, room: HubRoom, bundle: ProposalBundle): Promise<UpdateResponse> {
    const acceptedAt = BigInt(Date.now())
    const accepted: Pending[] = []
    for (const bytesOfOne of [bundle.message, ...bundle.moreProposals]) {
      const message = publicMessageOf(bytesOfOne)
      if (message?.content.contentType !== 'proposal' || message.content.sender.senderType !== 'member')
        return notAllowed('Not a Proposal of a member')
      if (message.content.epoch !== room.context.epoch) return wrongEpoch(room)
      const sender = message.content.sender.leafIndex
      const leaf = leafAt(room.tree, sender)
      if (!leaf || domainOf(identityOf(leaf.credential)) !== from) return notAllowed('The proposer is of another provider')
      if (!(await isSignedBy(leaf, message, room.context, this.impl))) return notAllowed('The signature is wrong')
      const { proposal } = message.content
      if (!isOwnRemoval(proposal, identityOf(leaf.credential), room.tree)) return notAllowed('Only one’s own removal may be proposed')
      accepted.push({ ref: await refOf(message, this.impl), message: bytesOfOne, proposal, sender, acceptedAt })
    }
    for (const one of accepted) room.pending.set(one.ref, one)
    this.#toAll(room, { timestamp: acceptedAt, kind: 'proposal', message: bundle.message, others: bundle.moreProposals })
    return { code: UPDATE_CODES.success, description: '', acceptedAt }
  }

  submit(from: string, room: HubRoom, { message, sender }: SubmitRequest): Promise<SubmitResponse> {
    return inTurn(room, async () => {
      const decoded = decodeMlsMessage(message, 0)?.[0]
      if (decoded?.wireformat !== 'mls_private_message' || decoded.privateMessage.contentType !== 'application')
        return { code: SUBMIT_CODES.notAllowed }
      const { groupId, epoch } = decoded.privateMessage
      const known = domainOf(sender) === from && this.isParticipant(room, sender)
      if (!known || hexOf(groupId) !== hexOf(room.context.groupId) || epoch > room.context.epoch) return { code: SUBMIT_CODES.notAllowed }
      if (epoch < room.context.epoch) return { code: SUBMIT_CODES.epochTooOld, currentEpoch: room.context.epoch }
      const acceptedAt = BigInt(Date.now())
      this.#toAll(room, { timestamp: acceptedAt, kind: 'application', message })
      return { code: SUBMIT_CODES.accepted, acceptedAt }
    })
  }

  #toAll(room: HubRoom, fanout: Fanout): void {
    for (const domain of new Set(membersOf(room.tree).map(({ client }) => domainOf(client)))) this.fanOut(domain, room.uri, [fanout])
  }

  /** @returns the encoded GroupInfoResponse (§5.6) */
  async groupInfo(from: string, room: HubRoom, request: GroupInfoRequest): Promise<Uint8Array> {
    const { impl, key } = this
    const client = identityOf(decodeMls(request.credential, decodeCredential))
    const signed = await verifyWithLabel(request.signatureKey, 'GroupInfoRequestTBS', request.tbs, request.signature, impl.signature)
    const code = Buffer.from(request.joiningCode ?? []).toString()
    const invited = room.policy.joiningCode !== undefined && code === room.policy.joiningCode
    const allowed = domainOf(client) === from && (invited || this.isParticipant(room, userOf(client)))
    if (!signed || !allowed || request.suite !== SUITE) return encodeGroupInfoRefusal(room.uri, GROUP_INFO_CODES.notAuthorized)
    if (invited) room.admitted.add(userOf(client))
    const pending = [...room.pending.values()].map(({ message, acceptedAt }) => ({ proposal: message, acceptedAt }))
    const plain = encodeOpenGroupInfo({ groupInfo: room.groupInfo, tree: encodeRatchetTree(room.tree), pending })
    const label = 'GroupInfo and ratchet_tree encryption'
    const context = new Uint8Array(Buffer.from(room.uri))
    const { ct, enc } = await encryptWithLabel(await impl.hpke.importPublicKey(request.hpkeKey), label, context, plain, impl.hpke)
    const tbs = encodeGroupInfoResponseTbs(room.uri, { suite: SUITE, hubSender: key.sender, kemOutput: enc, ciphertext: ct })
    return bytes(tbs, opaque(key.sign('GroupInfoResponseTBS', tbs)))
  }
}

function inTurn<T>(room: HubRoom, work: () => Promise<T>): Promise<T> {
  const run = room.turn.then(work)
  room.turn = run.catch(() => undefined)
  return run
}

const notAllowed = (description: string): UpdateResponse => ({ code: UPDATE_CODES.notAllowed, description })
const wrongEpoch = ({ context }: HubRoom): UpdateResponse => ({
  code: UPDATE_CODES.wrongEpoch,
  description: '',
  currentEpoch: context.epoch,
})

export const refsOf = (welcome: Uint8Array): string[] => decodeMls(welcome, decodeWelcome).secrets.map(({ newMember }) => hexOf(newMember))

function welcomeOf(welcome: Uint8Array, timestamp: bigint, tree: RatchetTree): Fanout {
  const message = encodeMlsMessage({ version: 'mls10', wireformat: 'mls_welcome', welcome: decodeMls(welcome, decodeWelcome) })
  return { timestamp, kind: 'welcome', message, tree: encodeRatchetTree(tree) }
}

function committersLeaf(message: NonNullable<ReturnType<typeof publicMessageOf>>, tree: RatchetTree) {
  const { content } = message
  if (content.sender.senderType === 'member') return leafAt(tree, content.sender.leafIndex)
  return content.contentType === 'commit' ? content.commit.path?.leafNode : undefined
}

const isDone = (proposal: Proposal, { removedLeaves }: Applied): boolean =>
  proposal.proposalType === 'remove' && removedLeaves.has(proposal.remove.removed)

function isOwnRemoval(proposal: Proposal, client: string, tree: RatchetTree): boolean {
  const removed = proposal.proposalType === 'remove' ? leafAt(tree, proposal.remove.removed) : undefined
  return removed !== undefined && userOf(identityOf(removed.credential)) === userOf(client)
}
