import { decodeRequiredCapabilities, encodeRequiredCapabilities, type ClientState, type Extension, type Proposal } from 'ts-mls'
import { encodeLeafNode, type LeafNode } from 'ts-mls/leafNode.js'
import type { Claim, Device } from '../device.js'
import { NoAnswer, ServerProblem } from '../http.js'
import { decodeKeyPackageMessage } from '../mls/key-package-message.js'
import { suite } from '../mls/suites.js'
import type { SeenCommit } from '../entries.js'
import { clientOf, leavesOf } from '../mls/leaves.js'
import type { FailingLeaf, GroupRecord, NewLeaf, PendingCommit } from '../store.js'
import { named } from '../wire.js'
import { outsideJoin, requireVouched, type OutsideJoin } from './external-joiner.js'
import { LEAF_CERTIFICATE } from './leaf.js'
import { judgeLeaf, type LeafQuestion } from './leaf-verdict.js'
import { same } from './list.js'
import { IdentityRefused } from './refused.js'

/** GroupContext extension `required_capabilities` that wants a certificate in every leaf. */
export function requiringCertificates(): Extension {
  const required = { extensionTypes: [LEAF_CERTIFICATE], proposalTypes: [], credentialTypes: [] }
  return { extensionType: 'required_capabilities', extensionData: encodeRequiredCapabilities(required) }
}

/** Whether the GroupContext itself wants a certificate in every leaf: no server can hide that. */
export function requiresCertificates({ groupContext }: Pick<ClientState, 'groupContext'>): boolean {
  const extension = groupContext.extensions.find(({ extensionType }) => extensionType === 'required_capabilities')
  const decoded = extension && decodeRequiredCapabilities(extension.extensionData, 0)
  return decoded?.[0].extensionTypes.includes(LEAF_CERTIFICATE) ?? false
}

type Judging = Pick<GroupRecord, 'certified' | 'suite' | 'newLeaves' | 'joiners' | 'putOut'>
interface Followed {
  /** The state that a Commit led on from. */
  before: ClientState
  seen: SeenCommit
}

/**
 * Leaves of a certified group that fail, and those of them that are new. None are looked for in others, nor by a client of the old kind.
 * @param commit what led to the state, if it has just come: what is not in the tree before is new
 */
export async function judgeLeaves(
  device: Device,
  record: Judging,
  state: ClientState,
  commit?: Followed,
): Promise<{ failing: FailingLeaf[]; newLeaves: NewLeaf[] }> {
  const judged: { failing: FailingLeaf[]; newLeaves: NewLeaf[] } = { failing: [], newLeaves: [] }
  if (!record.certified || !device.record.certified) return judged
  const { scheme } = await suite(record.suite)
  const [inLeaf, group] = [requiresCertificates(state), state.groupContext.groupId]
  for (const { leaf, leafIndex } of leavesOf(state)) {
    if (leafIndex === state.privatePath.leafIndex) continue
    const isNew = newLeaf(record, { leaf, leafIndex }, commit)
    const question = { scheme, isNew: isNew !== undefined, inLeaf, group }
    const refused = await refusalOf(device, leaf, question, isNew?.outside && { join: isNew.outside, joiners: record.joiners })
    if (!refused) continue
    const { reason, rule } = refused
    judged.failing.push({ leafIndex, client: clientOf(leaf), reason, ...(rule ? { rule } : {}) })
    if (isNew) judged.newLeaves.push(isNew)
  }
  return judged
}

/** What a leaf has come by, if it is new or has not passed since. A new key does not change what a device came in by; a member's Add does. */
function newLeaf(
  { newLeaves, putOut }: Judging,
  { leaf, leafIndex }: { leaf: LeafNode; leafIndex: number },
  commit: Followed | undefined,
): NewLeaf | undefined {
  const client = clientOf(leaf)
  const known = newLeaves.find((one) => one.leafIndex === leafIndex && one.client === client)
  if (!commit || wasThere(commit.before, leaf, leafIndex)) return known
  if (leaf.leafNodeSource === 'key_package') return { leafIndex, client }
  const { removed, committer } = commit.seen
  // One that replaces its own leaf may have come in just so before.
  const earlier = known ?? newLeaves.find((one) => one.client === client && removed.includes(one.leafIndex))
  const outside = earlier?.outside ?? (committer === undefined ? outsideJoin(commit.before, commit.seen, client, putOut) : undefined)
  return outside ? { leafIndex, client, outside } : { leafIndex, client }
}

/** This device brings nobody in who fails. @param next the state that its Commit leads to @throws IdentityRefused */
export async function requireNoNewFailing(device: Device, record: GroupRecord, next: ClientState): Promise<void> {
  const isNew = ({ leafIndex }: FailingLeaf): boolean => {
    const node = next.ratchetTree[2 * leafIndex]
    return node?.nodeType === 'leaf' && !wasThere(record.state, node.leaf, leafIndex)
  }
  const before = record.state
  const seen = { committer: before.privatePath.leafIndex, removed: [] }
  const bad = (await judgeLeaves(device, record, next, { before, seen })).failing.find(isNew)
  if (bad) throw new IdentityRefused(bad.reason, bad.client, bad.rule ? { rule: bad.rule } : {})
}

/** @throws IdentityRefused for a group that has leaves which fail */
export function requireNoFailing([failing]: readonly FailingLeaf[]): void {
  if (failing)
    throw new IdentityRefused('quarantine', failing.client, { about: failing.reason, ...(failing.rule ? { rule: failing.rule } : {}) })
}

/** @returns whether it was done: false if the policy forbids it */
export async function unlessForbidden(work: Promise<unknown>): Promise<boolean> {
  try {
    await work
    return true
  } catch (error) {
    if (error instanceof ServerProblem && error.status === 403) return false
    throw error
  }
}

/** What a Commit has to remove, if there is anything. */
export function removalsOf({ quarantine }: GroupRecord): Proposal[] | undefined {
  const removals = quarantine.map(({ leafIndex }): Proposal => ({ proposalType: 'remove', remove: { removed: leafIndex } }))
  return removals.length > 0 ? removals : undefined
}

/**
 * Sends a Commit. The server of a private group refuses names that it has no member of: a leaf that came without a Welcome is of nobody that it
 * knows. Then the same Commit goes without the names of those that fail.
 */
export async function submitCommit(
  { http }: Device,
  path: string,
  { bundle }: PendingCommit,
  record: Pick<GroupRecord, 'quarantine' | 'incarnation'>,
): Promise<{ seq: number }> {
  const post = () => http.post<{ seq: number }>(path, { ...bundle, ...named(record) })
  try {
    return await post()
  } catch (error) {
    const known = bundle.removed?.filter((client) => !record.quarantine.some((leaf) => leaf.client === client))
    const unknown = error instanceof ServerProblem && error.document['rule'] === 'remove-member'
    if (!unknown || !known || known.length === bundle.removed?.length) throw error
    bundle.removed = known
    return await post()
  }
}

/** ProposalRefs of what waits and would bring a leaf that fails: a Commit of this device leaves it out. */
export async function failingProposals(device: Device, { certified, suite: id, state }: GroupRecord): Promise<string[]> {
  if (!certified || !device.record.certified) return []
  const question = { scheme: (await suite(id)).scheme, isNew: true, inLeaf: requiresCertificates(state), group: state.groupContext.groupId }
  const failing: string[] = []
  for (const [ref, { proposal }] of Object.entries(state.unappliedProposals)) {
    const leaf = leafIn(proposal)
    if (leaf && (await refusalOf(device, leaf, question))) failing.push(ref)
  }
  return failing
}

/**
 * The KeyPackages of a claim that pass. One that fails is not used; it is what the server gave out, so it is noted.
 * @throws IdentityRefused if none of a user's passes
 */
export async function usable(
  device: Device,
  claim: Claim,
  { certified, suite: id, state }: CertifiedGroup,
): Promise<Claim['key_packages']> {
  if (!certified || !device.record.certified) return claim.key_packages
  const question = { scheme: (await suite(id)).scheme, isNew: true, inLeaf: requiresCertificates(state), group: state.groupContext.groupId }
  const passed: Claim['key_packages'] = []
  let last: IdentityRefused | undefined
  for (const one of claim.key_packages) {
    const { leafNode } = decodeKeyPackageMessage(one.key_package)
    const refused = clientOf(leafNode) === one.client ? await refusalOf(device, leafNode, question) : foreign(one.client)
    if (!refused) passed.push(one)
    else device.refused.push((last = refused))
  }
  if (last && passed.length === 0) throw last
  return passed
}

type CertifiedGroup = Pick<GroupRecord, 'certified' | 'suite' | 'state'>

const foreign = (client: string) => new IdentityRefused('invalid', client, { rule: 'device-certificate-leaf' })

/** Without an answer nothing is known of a user, and nothing passes. */
async function refusalOf(
  device: Device,
  leaf: LeafNode,
  question: LeafQuestion,
  outside?: { join: OutsideJoin; joiners: GroupRecord['joiners'] },
): Promise<IdentityRefused | undefined> {
  try {
    await device.certificates.verify(leaf, question.isNew)
    const { held, list } = await judgeLeaf(device.identities, leaf, question)
    if (outside) requireVouched(list, held, outside.join, { joiners: outside.joiners, scheme: question.scheme })
    return undefined
  } catch (error) {
    return asRefused(error, clientOf(leaf))
  }
}

/** Where nobody answers, nothing is known. @throws what is no refusal */
export function asRefused(error: unknown, client: string): IdentityRefused {
  if (error instanceof IdentityRefused) return error
  if (error instanceof NoAnswer || error instanceof ServerProblem) return new IdentityRefused('no-list', client, { about: error.message })
  throw error
}

/** The same device by the same key, in the same place; what else its leaf says it may change. */
function wasThere({ ratchetTree }: ClientState, leaf: LeafNode, leafIndex: number): boolean {
  const node = ratchetTree[2 * leafIndex]
  if (node?.nodeType !== 'leaf') return false
  return clientOf(node.leaf) === clientOf(leaf) && same(node.leaf.signaturePublicKey, leaf.signaturePublicKey)
}

function leafIn(proposal: Proposal): LeafNode | undefined {
  if (proposal.proposalType === 'add') return proposal.add.keyPackage.leafNode
  return proposal.proposalType === 'update' ? proposal.update.leafNode : undefined
}

/**
 * The state with the own leaf as the next Commit shall show it. For a Commit with a path, which makes a new leaf of the present one; the tree of
 * the epoch itself stays what it is.
 */
export function withOwnExtensions(state: ClientState, extensions: readonly Extension[]): ClientState {
  const index = 2 * state.privatePath.leafIndex
  const node = state.ratchetTree[index]
  if (node?.nodeType !== 'leaf' || extensions.length === 0) return state
  const kept = node.leaf.extensions.filter((one) => !extensions.some(({ extensionType }) => extensionType === one.extensionType))
  const types = extensions.map(({ extensionType }) => Number(extensionType))
  const capabilities = { ...node.leaf.capabilities, extensions: [...new Set([...node.leaf.capabilities.extensions, ...types])] }
  const leaf = { ...node.leaf, capabilities, extensions: [...kept, ...extensions] }
  if (same(encodeLeafNode(leaf), encodeLeafNode(node.leaf))) return state
  const ratchetTree = [...state.ratchetTree]
  ratchetTree[index] = { nodeType: 'leaf', leaf }
  return { ...state, ratchetTree }
}

/** What cannot be removed now is tried again before something is sent. */
export async function tryToCleanse(group: { cleanse(): Promise<void> }): Promise<void> {
  try {
    await group.cleanse()
  } catch (error) {
    if (!(error instanceof IdentityRefused || error instanceof ServerProblem)) throw error
  }
}
