import { randomBytes } from 'node:crypto'
import { hashBytes } from '../../../src/protocol/mls/hashes.js'
import { kemOutputBytes } from '../../../src/protocol/mls/hpke-key.js'
import { readProposalOrRef } from '../../../src/protocol/mls/structures/proposal.js'
import type { Sender } from '../../../src/protocol/mls/structures/public-message.js'
import { applyProposals, takeBlankLeaf } from '../../../src/protocol/public-group/proposals/apply-proposals.js'
import { resolveProposals } from '../../../src/protocol/public-group/proposals/proposal-list.js'
import { resolution, filteredDirectPath } from '../../../src/protocol/public-group/tree/resolution.js'
import type { PublicGroupState } from '../../../src/protocol/public-group/state.js'
import { parentHash } from '../../../src/protocol/public-group/tree/tree-hash.js'
import { TreeDraft } from '../../../src/protocol/public-group/tree/tree.js'
import { decodeWhole } from '../../../src/protocol/tls/reader.js'
import { TlsWriter } from '../../../src/protocol/tls/writer.js'
import { decoded } from './follower.js'
import { newHpkeKey, type Key } from './forge-keys.js'
import { forgeLeaf, type LeafChanges } from './forge-leaf.js'

/** What a path may have other than a right one. Its parent hashes and its leaf's signature fit what it has. */
export interface PathChanges {
  /** How many of the right nodes. */
  readonly nodes?: number
  readonly source?: 'update'
  readonly leaf?: LeafChanges
  readonly keys?: (right: Uint8Array[]) => Uint8Array[]
  /** A further node above the right ones, with nobody to encrypt to. */
  readonly extraNode?: boolean
  readonly parentHash?: Uint8Array
  /** Ciphertexts more or less than the lowest node's receivers. */
  readonly ciphertexts?: number
  readonly kemOutputBytes?: number
  readonly ciphertextBytes?: number
  /** Bytes of the last ciphertext, for nodes that have several. */
  readonly lastCiphertextBytes?: number
  /** Index of the place that the leaf signs. */
  readonly leafIndex?: number
}

interface Committer {
  readonly key: Key
  readonly name: string
  /** Undefined for a joiner. */
  readonly leafIndex: number | undefined
}

/** The path that a committer has to send with these proposals, which are encoded as ProposalOrRef. */
export async function forgePath(
  state: PublicGroupState,
  proposals: readonly Uint8Array[],
  committer: Committer,
  changes: PathChanges,
): Promise<Uint8Array> {
  const { draft, leafIndex, added } = placeOf(state, proposals, committer)
  const suite = state.groupContext.cipherSuite
  const steps = filteredDirectPath(draft, leafIndex)
  const right = steps.map(() => newHpkeKey(suite))
  const keys = changes.keys?.(right) ?? right
  let above: Uint8Array = new Uint8Array()
  for (const [at, { copathChild }] of [...steps.entries()].toReversed()) {
    above = parentHash(draft.algorithm, { encryptionKey: keys[at] as Uint8Array, parentHash: above }, draft.hash(copathChild))
  }
  const source =
    changes.source === 'update' ? { kind: 'update' as const } : { kind: 'commit' as const, parentHash: changes.parentHash ?? above }
  const place = { groupId: state.groupContext.groupId, leafIndex: changes.leafIndex ?? leafIndex }
  const leaf = await forgeLeaf(committer.key, committer.name, source, place, { suite, ...changes.leaf })
  const receivers = steps.map(({ copathChild }) => resolution(draft, copathChild).filter((node) => !added.has(node)).length)
  const items = [...keys, ...(changes.extraNode === true ? [newHpkeKey(suite)] : [])]
    .map((key, at) => [at, key] as const)
    .slice(0, changes.nodes)
  return new TlsWriter()
    .raw(leaf.bytes)
    .vector(items, (writer, [at, key]) => {
      const count = (receivers[at] ?? 0) + (at === 0 ? (changes.ciphertexts ?? 0) : 0)
      writer.opaque(key).vector(
        Array.from({ length: count }, (_, receiver) => receiver),
        (item, receiver) => {
          const odd = receiver > 0 && receiver === count - 1 ? changes.lastCiphertextBytes : undefined
          writeCiphertext(item, suite, odd === undefined ? changes : { ...changes, ciphertextBytes: odd })
        },
      )
    })
    .written()
}

function writeCiphertext(writer: TlsWriter, suite: number, changes: PathChanges): void {
  writer.opaque(randomBytes(changes.kemOutputBytes ?? kemOutputBytes(suite) ?? 0))
  writer.opaque(randomBytes(changes.ciphertextBytes ?? hashBytes(suite) + 16))
}

function placeOf(state: PublicGroupState, proposals: readonly Uint8Array[], committer: Committer) {
  const draft = new TreeDraft(state.tree)
  const items = proposals.map((bytes) => decoded(decodeWhole(bytes, readProposalOrRef)))
  const known = committer.leafIndex
  const sender: Sender = known === undefined ? { kind: 'new-member-commit' } : { kind: 'member', leafIndex: known }
  const resolved = resolveProposals(state, { proposals: items, path: undefined }, sender)
  const applied = resolved.kind === 'resolved' ? applyProposals(draft, resolved.proposals) : undefined
  const added = new Set(applied?.kind === 'applied' ? applied.added.map((one) => 2 * one.leafIndex) : [])
  return { draft, added, leafIndex: known ?? takeBlankLeaf(draft) ?? 0 }
}
