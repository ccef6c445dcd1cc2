import type { CiphersuiteImpl, ClientState, IncomingMessageCallback, Proposal } from 'ts-mls'
import { toHex } from '../wire.js'

/**
 * The commit secret follows the path secret of the last node of the committer's *filtered* direct path (RFC 9420 §7.4), which leaves a node
 * out if nobody is left below its other child. ts-mls 1.6.4 derives on to the root in any case. Where everybody is in the right half of the
 * tree that is once too often, and members on other implementations come to another epoch. In such a Commit its path secrets are derived
 * here only as often as there are nodes, so that the library's further step gives what it was given.
 */
const PATH_LABEL = Buffer.from('MLS 1.0 path')

/** For a Commit of this device; `proposals` are all that it will hold. */
export function whenCommitting(state: ClientState, proposals: readonly Proposal[], impl: CiphersuiteImpl): CiphersuiteImpl {
  const { leafIndex } = state.privatePath
  const left = leavesAfter(state, proposals)
  // From the leaf's own secret, which comes before the path's.
  return left && rootIsLeftOut(left) ? derivingAtMost(nodesFrom(1, left, leafIndex) + 1, impl) : impl
}

/** For a Commit of another: the suite, and the callback that shows the library's proposals before it derives anything. */
export function whenProcessing(state: ClientState, impl: CiphersuiteImpl): { impl: CiphersuiteImpl; callback: IncomingMessageCallback } {
  let chosen = impl.kdf
  const kdf: CiphersuiteImpl['kdf'] = { ...impl.kdf, expand: (...given) => chosen.expand(...given) }
  const callback: IncomingMessageCallback = (incoming) => {
    if (incoming.kind !== 'commit' || incoming.senderLeafIndex === undefined) return 'accept'
    const left = leavesAfter(
      state,
      incoming.proposals.map(({ proposal }) => proposal),
    )
    const common = commonLevel(state.privatePath.leafIndex, incoming.senderLeafIndex)
    if (left && rootIsLeftOut(left)) chosen = derivingAtMost(nodesFrom(common, left, incoming.senderLeafIndex), impl).kdf
    return 'accept'
  }
  return { impl: { ...impl, kdf }, callback }
}

/** The leaves that are not blank after a Commit; undefined if it adds any, as the first blank leaf is taken and the left half has one. */
function leavesAfter({ ratchetTree }: ClientState, proposals: readonly Proposal[]): number[] | undefined {
  if (proposals.some(({ proposalType }) => proposalType === 'add')) return undefined
  const removed = new Set(proposals.flatMap((one) => (one.proposalType === 'remove' ? [one.remove.removed] : [])))
  const present = ratchetTree.flatMap((node, index) => (node?.nodeType === 'leaf' ? [index / 2] : []))
  return present.filter((leaf) => !removed.has(leaf))
}

/** How many levels above the leaves the root of the tree is, cut down to the last leaf (§7.7). */
const height = (leaves: readonly number[]): number => Math.ceil(Math.log2(Math.max(...leaves) + 1))

function rootIsLeftOut(leaves: readonly number[]): boolean {
  return leaves.length > 1 && Math.min(...leaves) >= 2 ** (height(leaves) - 1)
}

/** How many nodes of the committer's filtered direct path stand at `level` or above. */
function nodesFrom(level: number, leaves: readonly number[], committer: number): number {
  let nodes = 0
  for (let at = level; at <= height(leaves); at++) {
    const besides = leaves.some(
      (leaf) => ancestor(leaf, at) === ancestor(committer, at) && ancestor(leaf, at - 1) !== ancestor(committer, at - 1),
    )
    if (besides) nodes++
  }
  return nodes
}

/** The level of the lowest common ancestor of two leaves. */
function commonLevel(one: number, other: number): number {
  let level = 0
  while (ancestor(one, level) !== ancestor(other, level)) level++
  return level
}

const ancestor = (leaf: number, level: number): number => Math.floor(leaf / 2 ** level)

/** A chain of path secrets of at most that many steps; a step further gives the last one again. */
function derivingAtMost(steps: number, impl: CiphersuiteImpl): CiphersuiteImpl {
  const taken = new Map<string, number>()
  const expand: CiphersuiteImpl['kdf']['expand'] = async (secret, info, length) => {
    if (!Buffer.from(info).includes(PATH_LABEL)) return impl.kdf.expand(secret, info, length)
    const before = taken.get(toHex(secret)) ?? 0
    // A copy: the library wipes what it gets.
    if (before >= steps) return secret.slice()
    const next = await impl.kdf.expand(secret, info, length)
    taken.set(toHex(next), before + 1)
    return next
  }
  return { ...impl, kdf: { ...impl.kdf, expand } }
}
