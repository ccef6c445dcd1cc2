import {
  createCommit,
  createGroupInfoWithExternalPub,
  encodeMlsMessage,
  makePskIndex,
  type CiphersuiteImpl,
  type ClientState,
  type Credential,
  type Extension,
  type GroupInfo,
  type Proposal,
} from 'ts-mls'
import { withOwnExtensions } from './identity/group-check.js'
import { whenCommitting } from './mls/commit-secret.js'
import { writingExternalPub } from './mls/external-pub.js'
import { encodeTree } from './mls/tree.js'
import type { CommitBundle, GroupRecord, PendingCommit } from './store.js'
import { sha256, toHex } from './wire.js'
import { clientOfCredential } from './x509/chain.js'
import { withOwnCredential } from './x509/certificates.js'

export interface Member {
  client: string
  leafIndex: number
}

/** What a Commit should do, asked again for each attempt; `undefined` when there is nothing left to do. */
export type Intent = (members: Member[]) => Proposal[] | undefined

export function members(state: ClientState): Member[] {
  return state.ratchetTree.flatMap((node, index) =>
    node?.nodeType === 'leaf' ? [{ client: clientOfCredential(node.leaf.credential), leafIndex: index / 2 }] : [],
  )
}

export function pendingRemovals(state: ClientState): Set<number> {
  const proposals = Object.values(state.unappliedProposals).map((pending) => pending.proposal)
  return new Set(proposals.filter(isRemove).map((one) => one.remove.removed))
}

/**
 * The state with the pending Proposals that one Commit can hold with `extra` (RFC 9420 §12.2): of several that change one leaf that is one
 * Remove, or else the last Update; `extra` comes first; nothing that has become void; and a ReInit stands alone, the others come before it.
 */
function withChosenProposals({ state, voided = [] }: GroupRecord, extra: readonly Proposal[]): ClientState {
  const removed = new Set(extra.filter(isRemove).map((one) => one.remove.removed))
  const chosen = new Map<string, [ref: string, pending: PendingProposal]>()
  for (const [ref, pending] of Object.entries(state.unappliedProposals)) {
    const leafIndex = changedLeaf(pending)
    if (voided.includes(ref) || (leafIndex !== undefined && removed.has(leafIndex))) continue
    const place = leafIndex === undefined ? ref : `leaf ${leafIndex}`
    const other = chosen.get(place)
    if (!other || !isRemove(other[1].proposal)) chosen.set(place, [ref, pending])
  }
  const [ends, goesOn] = [extra.some(isReInit), [...chosen.values()].filter(([, { proposal }]) => !isReInit(proposal))]
  const kept = ends ? [] : goesOn.length + extra.length > 0 ? goesOn : [...chosen.values()]
  return { ...state, unappliedProposals: Object.fromEntries(kept) }
}

function isReInit(proposal: Proposal): boolean {
  return proposal.proposalType === 'reinit'
}

type PendingProposal = ClientState['unappliedProposals'][string]

function changedLeaf({ proposal, senderLeafIndex }: PendingProposal): number | undefined {
  if (isRemove(proposal)) return proposal.remove.removed
  return proposal.proposalType === 'update' ? senderLeafIndex : undefined
}

function isRemove(proposal: Proposal): proposal is Extract<Proposal, { proposalType: 'remove' }> {
  return proposal.proposalType === 'remove'
}

/** What a device wants in its leaves. */
export interface OwnLeaf {
  extensions?: readonly Extension[]
  credential?: Credential
}

/**
 * A Commit of all pending Proposals and of `extra`, with everything that the server and the joiners need.
 * @param letGo who is removed besides, having asked to leave or been revoked; in a private group the server has to be told
 * @param own what the own leaf shows from here on, if the Commit makes a new one
 */
export async function buildCommit(
  record: GroupRecord,
  extra: readonly Proposal[],
  impl: CiphersuiteImpl,
  letGo: readonly Member[] = [],
  own: OwnLeaf = {},
): Promise<PendingCommit> {
  const { mode } = record
  const removes = letGo.map(({ leafIndex }): Proposal => ({ proposalType: 'remove', remove: { removed: leafIndex } }))
  const extraProposals = [...extra, ...removes]
  const chosen = withChosenProposals(record, extraProposals)
  const pending = Object.values(chosen.unappliedProposals).map(({ proposal }) => proposal)
  const state = hasPath([...pending, ...extraProposals])
    ? withOwnExtensions(withOwnCredential(chosen, own.credential), own.extensions ?? [])
    : chosen
  const cipherSuite = whenCommitting(state, [...pending, ...extraProposals], impl)
  const made = await createCommit(
    { state, cipherSuite, pskIndex: makePskIndex(state, {}) },
    // Private mode: the joiner's tree travels inside the encrypted Welcome. Public mode: the server has it.
    { wireAsPublicMessage: mode === 'public', ratchetTreeExtension: mode === 'private', extraProposals },
  )
  const commit = encodeMlsMessage(made.commit)
  const bundle: CommitBundle = { commit, ...(await joinAids(record, made.newState, impl)) }
  if (made.welcome) bundle.welcomes = [encodeMlsMessage({ version: 'mls10', wireformat: 'mls_welcome', welcome: made.welcome })]
  if (mode === 'private') Object.assign(bundle, claims(state, made.newState, new Set(letGo.map(({ client }) => client))))
  return { bundle, hash: toHex(sha256(commit)), next: made.newState }
}

/** When the library makes a path. */
function hasPath(proposals: readonly Proposal[]): boolean {
  if (proposals.some(isReInit)) return false
  return proposals.length === 0 || proposals.some((one) => isRemove(one) || one.proposalType === 'update')
}

/** What an external joiner of the new epoch will need (RFC 9420 §12.4.3.2). Never with a tree inside in public mode. */
async function joinAids(
  record: Pick<GroupRecord, 'mode' | 'externalJoin'>,
  next: ClientState,
  impl: CiphersuiteImpl,
): Promise<Partial<CommitBundle>> {
  if (!record.externalJoin) return {}
  const group_info = await groupInfo(next, impl)
  return record.mode === 'public' ? { group_info } : { group_info, ratchet_tree: encodeTree(next.ratchetTree) }
}

export async function groupInfo(state: ClientState, impl: CiphersuiteImpl): Promise<Uint8Array> {
  return encodeMlsMessage({ version: 'mls10', wireformat: 'mls_group_info', groupInfo: await signedGroupInfo(state, impl) })
}

export function signedGroupInfo(state: ClientState, impl: CiphersuiteImpl): Promise<GroupInfo> {
  return createGroupInfoWithExternalPub(state, [], writingExternalPub(impl))
}

/** A private Commit hides its effect from the server, which has to know who no longer reads. */
function claims(before: ClientState, after: ClientState, letGo: ReadonlySet<string>): Partial<CommitBundle> {
  const staying = new Set(members(after).map((member) => member.client))
  const gone = members(before)
    .map((member) => member.client)
    .filter((client) => !staying.has(client))
  const [removed, let_go] = [gone.filter((client) => !letGo.has(client)), gone.filter((client) => letGo.has(client))]
  const active = after.groupActiveState
  const announced = active.kind === 'suspendedPendingReinit' ? { reinit: true, successor: active.reinit.groupId } : {}
  return { ...(removed.length > 0 ? { removed } : {}), ...(let_go.length > 0 ? { let_go } : {}), ...announced }
}
