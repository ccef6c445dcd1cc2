import type { ClientState } from 'ts-mls'
import { encodeLeafNode, type LeafNode } from 'ts-mls/leafNode.js'
import type { Device } from '../device.js'
import { asRefused } from '../identity/group-check.js'
import { same } from '../identity/list.js'
import { clientOf, leavesOf } from '../mls/leaves.js'
import type { FailingLeaf, GroupRecord } from '../store.js'

type Judging = Pick<GroupRecord, 'certified' | 'state' | 'unverified'>

/**
 * Leaves of a group with `identities: any` whose X.509 credential does not show what it says (docs/x509.md §6). Such a group lets in anybody whom its
 * server vouches for, so they are shown as not verified, and not removed; in certified groups they come into quarantine.
 */
export function unverifiedAtJoining(device: Device, record: Judging): Promise<FailingLeaf[]> {
  return unverified(device, record, () => true)
}

/** @param before the state that a Commit led on from, if one has just come: leaves that it has brought or changed are asked about */
export function unverifiedNow(device: Device, record: Judging, before?: ClientState): Promise<FailingLeaf[]> {
  // Where nobody answered, it is asked again.
  const isAsked = (leaf: LeafNode, leafIndex: number, known: FailingLeaf | undefined) =>
    known?.reason === 'no-list' || (before !== undefined && !isUnchanged(before, leaf, leafIndex))
  return unverified(device, record, isAsked)
}

/** @param isAsked whether the leaf is looked at now; else what was said of it before holds */
async function unverified(
  device: Device,
  { state, certified, unverified: before = [] }: Judging,
  isAsked: (leaf: LeafNode, leafIndex: number, known: FailingLeaf | undefined) => boolean,
): Promise<FailingLeaf[]> {
  const failing: FailingLeaf[] = []
  if (certified && device.record.certified) return failing
  for (const { leaf, leafIndex } of leavesOf(state)) {
    if (leaf.credential.credentialType !== 'x509' || leafIndex === state.privatePath.leafIndex) continue
    const known = before.find((one) => one.leafIndex === leafIndex)
    const found = isAsked(leaf, leafIndex, known) ? await refusalOf(device, leaf, leafIndex) : known
    if (found) failing.push(found)
  }
  return failing
}

/** A certificate that is over is one that cannot be checked any more, so it does not pass. */
async function refusalOf(device: Device, leaf: LeafNode, leafIndex: number): Promise<FailingLeaf | undefined> {
  try {
    await device.certificates.verify(leaf, true)
    return undefined
  } catch (error) {
    const { reason, rule } = asRefused(error, clientOf(leaf))
    return { leafIndex, client: clientOf(leaf), reason, ...(rule ? { rule } : {}) }
  }
}

function isUnchanged({ ratchetTree }: ClientState, leaf: LeafNode, leafIndex: number): boolean {
  const node = ratchetTree[2 * leafIndex]
  return node?.nodeType === 'leaf' && same(encodeLeafNode(node.leaf), encodeLeafNode(leaf))
}
