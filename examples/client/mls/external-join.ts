import { joinGroupExternal, type CiphersuiteImpl, type ClientConfig, type GroupInfo, type RatchetTree } from 'ts-mls'
import { verifyGroupInfoSignature } from 'ts-mls/groupInfo.js'
import { getSignaturePublicKeyFromLeafIndex } from 'ts-mls/ratchetTree.js'
import { toLeafIndex } from 'ts-mls/treemath.js'
import type { StoredKeyPackage } from '../store.js'
import { readingExternalPub } from './external-pub.js'
import { clientOf, leavesOf } from './leaves.js'
import { clientConfig } from './suites.js'

/** Its own leaf a device finds by its name: the key may be another one since. */
const replacingByName: ClientConfig = {
  ...clientConfig,
  keyPackageEqualityConfig: {
    ...clientConfig.keyPackageEqualityConfig,
    compareKeyPackageToLeafNode: (own, leaf) => clientOf(own.leafNode) === clientOf(leaf),
  },
}

/**
 * An external Commit by this GroupInfo. The library prefers a tree inside it, as others put there in private mode, and refuses valid ones (see
 * tree.ts); it is given `tree`, which `decodeTree` read, alone. The tree inside is covered by the GroupInfo's signature, so that is checked here.
 *
 * @throws if the signature is not the signer's
 */
export async function joinByGroupInfo(
  info: GroupInfo,
  own: StoredKeyPackage,
  { tree, resync }: { tree: RatchetTree; resync: boolean },
  impl: CiphersuiteImpl,
) {
  const signer = getSignaturePublicKeyFromLeafIndex(tree, toLeafIndex(info.signer))
  if (!(await verifyGroupInfoSignature(info, signer, impl.signature))) throw new Error('Wrong signature of the GroupInfo')
  const checked = (key: Uint8Array, message: Uint8Array, signature: Uint8Array) =>
    signature === info.signature ? Promise.resolve(true) : impl.signature.verify(key, message, signature)
  const suite = { ...readingExternalPub(impl, info), signature: { ...impl.signature, verify: checked } }
  const name = clientOf(own.public.leafNode)
  // The library would look for a leaf that is not there without an end.
  if (resync && !leavesOf({ ratchetTree: tree }).some(({ leaf }) => clientOf(leaf) === name)) throw new Error('There is no leaf to replace')
  const extensions = info.extensions.filter(({ extensionType }) => extensionType !== 'ratchet_tree')
  return joinGroupExternal({ ...info, extensions }, own.public, own.private, resync, suite, tree, replacingByName)
}
