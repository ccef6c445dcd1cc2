import type { CiphersuiteImpl, ClientState, GroupInfo, Welcome } from 'ts-mls'
import { throwIfDefined, validateRatchetTree } from 'ts-mls/clientState.js'
import { extensionsSupportedByCapabilities } from 'ts-mls/extension.js'
import { verifyGroupInfoConfirmationTag, verifyGroupInfoSignature } from 'ts-mls/groupInfo.js'
import { makeKeyPackageRef } from 'ts-mls/keyPackage.js'
import { deriveKeySchedule } from 'ts-mls/keySchedule.js'
import { pathToRoot } from 'ts-mls/pathSecrets.js'
import { mergePrivateKeyPaths, toPrivateKeyPath, type PrivateKeyPath } from 'ts-mls/privateKeyPath.js'
import { findLeafIndex, type RatchetTree } from 'ts-mls/ratchetTree.js'
import { createSecretTree } from 'ts-mls/secretTree.js'
import { leafToNodeIndex, leafWidth, toLeafIndex, type LeafIndex } from 'ts-mls/treemath.js'
import { firstCommonAncestor } from 'ts-mls/updatePath.js'
import { decryptGroupInfo, decryptGroupSecrets } from 'ts-mls/welcome.js'
import type { StoredKeyPackage } from '../store.js'
import { checkOrigin, resumptionOf, type StateOf } from './resumption.js'
import { clientConfig } from './suites.js'
import { decodeTree } from './tree.js'

/**
 * Joins by a Welcome (RFC 9420 §12.4.3.1) without PSKs but that of a group before it, in the library's own steps. Its `joinGroup` takes a tree that comes inside the
 * Welcome, as in private mode, as it is and then refuses valid ones (see tree.ts); here it goes through `decodeTree` like that of the server.
 *
 * @param from the tree of the Welcome's epoch, where it is not inside, and the groups that this device is in
 */
export async function joinWelcome(
  welcome: Welcome,
  own: StoredKeyPackage,
  impl: CiphersuiteImpl,
  { tree, stateOf }: { tree: RatchetTree | undefined; stateOf: StateOf },
): Promise<ClientState> {
  const { joinerSecret, pathSecret, groupInfo, resumption } = await openWelcome(welcome, own, impl, stateOf)
  const inside = groupInfo.extensions.find(({ extensionType }) => extensionType === 'ratchet_tree')
  const ratchetTree = inside ? decodeTree(inside.extensionData) : tree
  if (!ratchetTree) throw new Error('This Welcome comes without a tree')
  if (groupInfo.groupContext.cipherSuite !== own.public.cipherSuite) throw new Error('The group is of another suite than the KeyPackage')
  if (!extensionsSupportedByCapabilities(groupInfo.groupContext.extensions, own.public.leafNode.capabilities))
    throw new Error('The group has extensions that this client does not list')
  checkOrigin(resumption, groupInfo.groupContext, ratchetTree)
  await checkGroupInfo(groupInfo, ratchetTree, impl)
  if (!(await verifyGroupInfoConfirmationTag(groupInfo, joinerSecret, resumption.secret, impl))) throw new Error('Wrong confirmation tag')
  const leaf = findLeafIndex(ratchetTree, own.public.leafNode)
  if (leaf === undefined) throw new Error('This KeyPackage has no leaf in the tree')
  const [keySchedule, encryptionSecret] = await deriveKeySchedule(joinerSecret, resumption.secret, groupInfo.groupContext, impl.kdf)
  return {
    groupContext: groupInfo.groupContext,
    ratchetTree,
    privatePath: await privateKeys(ratchetTree, { leaf, signer: toLeafIndex(groupInfo.signer), pathSecret }, own, impl),
    signaturePrivateKey: own.private.signaturePrivateKey,
    confirmationTag: groupInfo.confirmationTag,
    unappliedProposals: {},
    keySchedule,
    secretTree: await createSecretTree(leafWidth(ratchetTree.length), encryptionSecret, impl.kdf),
    historicalReceiverData: new Map(),
    groupActiveState: { kind: 'active' },
    clientConfig,
  }
}

async function openWelcome(welcome: Welcome, own: StoredKeyPackage, impl: CiphersuiteImpl, stateOf: StateOf) {
  const initKey = await impl.hpke.importPrivateKey(own.private.initPrivateKey)
  const secrets = await decryptGroupSecrets(initKey, await makeKeyPackageRef(own.public, impl.hash), welcome, impl.hpke)
  if (!secrets) throw new Error('The group secrets do not decode')
  const resumption = await resumptionOf(secrets.psks, stateOf, impl)
  const groupInfo = await decryptGroupInfo(welcome, secrets.joinerSecret, resumption.secret, impl)
  if (!groupInfo) throw new Error('The GroupInfo does not decode')
  return { ...secrets, groupInfo, resumption }
}

async function checkGroupInfo(groupInfo: GroupInfo, tree: RatchetTree, impl: CiphersuiteImpl): Promise<void> {
  const { groupContext, signer } = groupInfo
  const node = tree[leafToNodeIndex(toLeafIndex(signer))]
  if (node?.nodeType !== 'leaf') throw new Error('The signer of the GroupInfo has no leaf')
  const { credential, signaturePublicKey } = node.leaf
  const { authService, lifetimeConfig } = clientConfig
  if (!(await authService.validateCredential(credential, signaturePublicKey))) throw new Error('The signer is not who it says')
  if (!(await verifyGroupInfoSignature(groupInfo, signaturePublicKey, impl.signature))) throw new Error('Wrong signature of the GroupInfo')
  throwIfDefined(await validateRatchetTree(tree, groupContext, lifetimeConfig, authService, groupContext.treeHash, impl))
}

interface Place {
  leaf: LeafIndex
  signer: LeafIndex
  pathSecret: Uint8Array | undefined
}

/** The own leaf's key, and those of the nodes that the committer's path gave to this device. */
async function privateKeys(
  tree: RatchetTree,
  { leaf, signer, pathSecret }: Place,
  own: StoredKeyPackage,
  impl: CiphersuiteImpl,
): Promise<PrivateKeyPath> {
  const alone = { leafIndex: leaf, privateKeys: { [leafToNodeIndex(leaf)]: own.private.hpkePrivateKey } }
  if (!pathSecret) return alone
  const secrets = await pathToRoot(tree, firstCommonAncestor(tree, leaf, signer), pathSecret, impl.kdf)
  return mergePrivateKeyPaths(await toPrivateKeyPath(secrets, leaf, impl), alone)
}
