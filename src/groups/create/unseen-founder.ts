import { canonicalKey } from '../../protocol/signature-key.js'
import { isGrease } from '../../protocol/mls/grease.js'
import { verifyWithLabel } from '../../protocol/mls/signature.js'
import type { GroupInfo } from '../../protocol/mls/structures/group-info.js'
import type { TreeNodes } from '../../protocol/mls/structures/ratchet-tree.js'
import { memberAt, type Member } from '../../protocol/public-group/state.js'
import { InvalidCommit } from '../groups.problems.js'

/**
 * The only member of a new private group whose suite the server does not know. It can hash nothing with it, so the tree is taken
 * at its word; the GroupInfo's signature is checked, as a device's key tells its scheme.
 */
export async function unseenFounder(groupInfo: GroupInfo, { leaves }: TreeNodes): Promise<Member> {
  const { groupContext, signer, tbs, signature } = groupInfo
  if (isGrease(groupContext.cipherSuite)) throw new InvalidCommit('cipher-suite')
  if (groupContext.epoch !== 0n) throw new InvalidCommit('group-info-epoch')
  const [leaf, ...others] = leaves
  if (leaf === undefined || others.length > 0) throw new InvalidCommit('one-founding-member')
  const scheme = canonicalKey(leaf.signatureKey)?.scheme
  const signed = signer === 0 && scheme !== undefined && (await verifyWithLabel(scheme, leaf.signatureKey, 'GroupInfoTBS', tbs, signature))
  if (!signed) throw new InvalidCommit('group-info-signature')
  return memberAt(0, leaf)
}
