import {
  createGroupInfoWithExternalPub,
  createGroupInfoWithExternalPubAndRatchetTree,
  encodeMlsMessage,
  type ClientState,
  type GroupInfo,
} from 'ts-mls'
import { encodeGroupContext } from 'ts-mls/groupContext.js'
import type { Group } from '../../examples/client/group.js'
import { suite } from '../../examples/client/mls/suites.js'
import { signContent } from '../../src/protocol/mls/signature.js'
import { TlsWriter } from '../../src/protocol/tls/writer.js'

/** A GroupInfo with the tree inside, which a public group refuses. */
export async function groupInfoWithTree(state: ClientState, suiteId: number): Promise<Uint8Array> {
  const groupInfo = await createGroupInfoWithExternalPubAndRatchetTree(state, [], (await suite(suiteId)).impl)
  return encodeMlsMessage({ version: 'mls10', wireformat: 'mls_group_info', groupInfo })
}

/** The GroupInfo of a group as it is. */
export async function groupInfoOf(group: Group): Promise<GroupInfo> {
  return createGroupInfoWithExternalPub(group.record.state, [], (await suite(group.record.suite)).impl)
}

/** A SelfRemove (draft-ietf-mls-extensions), which the client library does not know: version, format, group, epoch, sender, nothing, proposal 10. */
export async function selfRemove({ record }: Group): Promise<Uint8Array> {
  const { groupContext, privatePath, signaturePrivateKey } = record.state
  const tbs = new TlsWriter().uint16(1).uint16(1).opaque(groupContext.groupId).uint64(groupContext.epoch)
  tbs.uint8(1).uint32(privatePath.leafIndex).opaque(new Uint8Array()).uint8(2).uint16(10)
  const signed = new TlsWriter().raw(tbs.written()).raw(encodeGroupContext(groupContext)).written()
  const { signature } = (await suite(record.suite)).impl
  const made = await signature.sign(signaturePrivateKey, signContent('FramedContentTBS', signed))
  // A server cannot check a membership_tag.
  return new TlsWriter().raw(tbs.written()).opaque(made).opaque(new Uint8Array(32)).written()
}
