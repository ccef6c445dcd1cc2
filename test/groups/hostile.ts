import {
  createGroupInfoWithExternalPubAndRatchetTree,
  decodeMlsMessage,
  encodeMlsMessage,
  joinGroupExternal,
  type ClientState,
  type GroupInfo,
} from 'ts-mls'
import { encodeGroupContext } from 'ts-mls/groupContext.js'
import type { Client } from '../../examples/client/client.js'
import { signedGroupInfo } from '../../examples/client/commits.js'
import type { Group } from '../../examples/client/group.js'
import { readingExternalPub, writingExternalPub } from '../../examples/client/mls/external-pub.js'
import { clientConfig, suite } from '../../examples/client/mls/suites.js'
import { settled } from '../../examples/client/mls/tree.js'
import { signContent } from '../../src/protocol/mls/signature.js'
import { writeExtensions } from '../../src/protocol/mls/structures/extension.js'
import { TlsWriter } from '../../src/protocol/tls/writer.js'
import { groupInfoMessage } from '../support/mls/follower.js'
import { forgeLeaf, newKey } from '../support/mls/forge.js'
import { proposals } from '../support/mls/proposals.js'

/** A GroupInfo with the tree inside, which a public group refuses. */
export async function groupInfoWithTree(state: ClientState, suiteId: number): Promise<Uint8Array> {
  const groupInfo = await createGroupInfoWithExternalPubAndRatchetTree(state, [], writingExternalPub((await suite(suiteId)).impl))
  return encodeMlsMessage({ version: 'mls10', wireformat: 'mls_group_info', groupInfo })
}

/** An external Commit that is built, not sent, from a GroupInfo of suite 1 with the tree inside. */
export async function externalCommit(
  { device }: Client,
  answer: { group_info: Uint8Array },
): Promise<{ commit: Uint8Array; state: ClientState }> {
  const message = decodeMlsMessage(answer.group_info, 0)?.[0]
  if (message?.wireformat !== 'mls_group_info') throw new Error('Not a GroupInfo')
  const own = await device.newKeyPackage(1)
  const impl = readingExternalPub((await suite(1)).impl, message.groupInfo)
  const joined = await joinGroupExternal(message.groupInfo, own.public, own.private, false, impl, undefined, clientConfig)
  const commit = encodeMlsMessage({ version: 'mls10', wireformat: 'mls_public_message', publicMessage: joined.publicMessage })
  return { commit, state: settled(joined.newState) }
}

/** The GroupInfo of a group as it is. */
export async function groupInfoOf(group: Group): Promise<GroupInfo> {
  return signedGroupInfo(group.record.state, (await suite(group.record.suite)).impl)
}

/** A suite 1 GroupInfo with another confirmation tag, rightly signed. */
export async function retagged(message: Uint8Array, signKey: Uint8Array): Promise<Uint8Array> {
  const { groupContext, extensions, signer } = groupInfoMessage(message)
  const content = new TlsWriter().raw(groupContext.bytes)
  writeExtensions(content, extensions)
  const tbs = content.opaque(new Uint8Array(32)).uint32(signer).written()
  const made = await (await suite(1)).impl.signature.sign(signKey, signContent('GroupInfoTBS', tbs))
  return new TlsWriter().uint16(1).uint16(4).raw(tbs).opaque(made).written()
}

/** A SelfRemove (draft-ietf-mls-extensions), which the client library does not know. */
export function selfRemove(group: Group): Promise<Uint8Array> {
  return signedProposal(group, proposals.selfRemove())
}

/** Any proposal, rightly signed by the group's member: version, format, group, epoch, sender, authenticated data, proposal. */
export async function signedProposal({ record }: Group, proposal: Uint8Array, authenticatedData = new Uint8Array()): Promise<Uint8Array> {
  const { groupContext, privatePath, signaturePrivateKey } = record.state
  const tbs = new TlsWriter().uint16(1).uint16(1).opaque(groupContext.groupId).uint64(groupContext.epoch)
  tbs.uint8(1).uint32(privatePath.leafIndex).opaque(authenticatedData).uint8(2).raw(proposal)
  const signed = new TlsWriter().raw(tbs.written()).raw(encodeGroupContext(groupContext)).written()
  const { signature } = (await suite(record.suite)).impl
  const made = await signature.sign(signaturePrivateKey, signContent('FramedContentTBS', signed))
  // A server cannot check a membership_tag.
  return new TlsWriter().raw(tbs.written()).opaque(made).opaque(new Uint8Array(32)).written()
}

/** A PrivateMessage that nobody encrypted; content types are application 1, proposal 2, commit 3 (RFC 9420 §6). */
export function emptyPrivateMessage(groupId: Uint8Array, epoch: bigint, contentType: 1 | 2 | 3): Uint8Array {
  const framed = new TlsWriter().uint16(1).uint16(2).opaque(groupId).uint64(epoch).uint8(contentType)
  return framed.opaque(new Uint8Array()).opaque(new Uint8Array(28)).opaque(new Uint8Array(64)).written()
}

/** A KeyPackage as no directory would take it: with one extension as large as this. Nothing but its leaf is signed. */
export async function largeKeyPackage(bytes: number): Promise<Uint8Array> {
  const leaf = await forgeLeaf(newKey(), 'large', { kind: 'key-package' })
  const writer = new TlsWriter().uint16(1).uint16(1).opaque(new Uint8Array(32).fill(1)).raw(leaf.bytes)
  writeExtensions(writer, [{ type: 0xf000, data: new Uint8Array(bytes) }])
  return writer.opaque(new Uint8Array(64)).written()
}
