import { createGroupInfoWithExternalPubAndRatchetTree, encodeMlsMessage, type ClientState } from 'ts-mls'
import { suite } from '../../examples/client/mls/suites.js'

/** A GroupInfo with the tree inside, which a public group refuses. */
export async function groupInfoWithTree(state: ClientState, suiteId: number): Promise<Uint8Array> {
  const groupInfo = await createGroupInfoWithExternalPubAndRatchetTree(state, [], (await suite(suiteId)).impl)
  return encodeMlsMessage({ version: 'mls10', wireformat: 'mls_group_info', groupInfo })
}
