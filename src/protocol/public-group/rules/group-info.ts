import { brokenUnless, type BrokenRule } from '../../mls/rules.js'
import { isUsableHpkeKey } from '../../mls/hpke-key.js'
import { sameBytes } from '../../bytes.js'
import { SCHEME_OF_SUITE, verifyWithLabel } from '../../mls/signature.js'
import { EXTENSION_TYPES, extensionData } from '../../mls/structures/extension.js'
import type { GroupContext, GroupInfo } from '../../mls/structures/group-info.js'
import type { LeafNode } from '../../mls/structures/leaf-node.js'
import { decodeWhole } from '../../tls/reader.js'
import type { Tree } from '../tree/tree.js'

/** The epoch a Commit opens, which the GroupInfo that comes with it must describe. */
export interface OpenedEpoch {
  readonly groupContext: GroupContext
  readonly tree: Tree
  readonly confirmationTag: Uint8Array
  readonly committer: number
}

/**
 * All rules for the GroupInfo of a Commit (RFC 9420 §12.4.3): undefined, or the first one broken. Never rejects.
 * @param mayCarryTree whether it may have a ratchet_tree extension
 */
export async function groupInfoOfCommit(groupInfo: GroupInfo, epoch: OpenedEpoch, mayCarryTree = false): Promise<BrokenRule | undefined> {
  return (
    (mayCarryTree ? undefined : groupInfoWithoutTree(groupInfo)) ??
    externalPub(groupInfo) ??
    groupInfoContext(groupInfo, epoch) ??
    groupInfoConfirmationTag(groupInfo, epoch) ??
    groupInfoSigner(groupInfo, epoch) ??
    (await groupInfoSignature(groupInfo, epoch.tree.leaf(groupInfo.signer)))
  )
}

/** The server's own rule: it serves the tree of each epoch itself, once, and could not strip it from what is signed. */
function groupInfoWithoutTree({ extensions }: GroupInfo): BrokenRule | undefined {
  const data = extensionData(extensions, EXTENSION_TYPES.ratchetTree)
  return brokenUnless(data === undefined, 'group-info-without-tree')
}

/** RFC 9420 §12.4.3.2: an `HPKEPublicKey`, which is a vector, for joiners from outside. Whose key it is only members can tell. */
export function externalPub({ groupContext, extensions }: GroupInfo): BrokenRule | undefined {
  const data = extensionData(extensions, EXTENSION_TYPES.externalPub)
  if (data === undefined) return undefined
  const key = decodeWhole(data, (reader) => reader.opaque())
  return brokenUnless(key.kind === 'decoded' && isUsableHpkeKey(groupContext.cipherSuite, key.value), 'external-pub')
}

/** RFC 9420 §12.4.3: `group_context` is the state of the group after the Commit. */
function groupInfoContext({ groupContext }: GroupInfo, epoch: OpenedEpoch): BrokenRule | undefined {
  return brokenUnless(sameBytes(groupContext.bytes, epoch.groupContext.bytes), 'group-info-context')
}

/** RFC 9420 §12.4.3: the confirmation tag is that of the Commit. */
function groupInfoConfirmationTag({ confirmationTag }: GroupInfo, epoch: OpenedEpoch): BrokenRule | undefined {
  return brokenUnless(sameBytes(confirmationTag, epoch.confirmationTag), 'group-info-confirmation-tag')
}

/** RFC 9420 §12.4.3.1: the author of a Commit makes the GroupInfo of its epoch. */
function groupInfoSigner({ signer }: GroupInfo, epoch: OpenedEpoch): BrokenRule | undefined {
  return brokenUnless(signer === epoch.committer, 'group-info-signer')
}

/** RFC 9420 §12.4.3: signed by the key in the signer's leaf. */
export async function groupInfoSignature(groupInfo: GroupInfo, signer: LeafNode | undefined): Promise<BrokenRule | undefined> {
  const scheme = SCHEME_OF_SUITE.get(groupInfo.groupContext.cipherSuite)
  const key = signer?.signatureKey
  const valid =
    scheme !== undefined && key !== undefined && (await verifyWithLabel(scheme, key, 'GroupInfoTBS', groupInfo.tbs, groupInfo.signature))
  return brokenUnless(valid, 'group-info-signature')
}
