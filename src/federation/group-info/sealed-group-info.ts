import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Caller } from '../../authentication/session/caller.js'
import { ExternalSenders } from '../../groups/external-sender/external-senders.js'
import { GroupOperations } from '../../groups/operations/group-operations.js'
import { findGroup } from '../../groups/repository/groups.repository.js'
import { readPublicProposals } from '../../groups/repository/log.repository.js'
import { Undecodable } from '../../platform/http/problem.js'
import { POOL } from '../../platform/postgres/sql.js'
import { encryptWithLabel } from '../../protocol/mls/encrypt-with-label.js'
import { SCHEME_OF_SUITE, signWithLabel } from '../../protocol/mls/signature.js'
import {
  encodeGroupInfoAndTree,
  encodeGroupInfoResponse,
  GROUP_INFO_ENCRYPTION_LABEL,
  GROUP_INFO_RESPONSE_LABEL,
  groupInfoResponseTbs,
  type GroupInfoRequest,
} from '../../protocol/mimi/group-info.js'

/**
 * What an external joiner needs, sealed to the joiner: its own provider, which carries it, cannot read it
 * (draft-ietf-mimi-protocol-06, Claim group key information).
 */
@Injectable()
export class SealedGroupInfo {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly operations: GroupOperations,
    private readonly senders: ExternalSenders,
  ) {}

  /** @throws the problem that the caller has with the group's policy */
  async seal(caller: Caller, room: { roomId: string; groupId: Uint8Array }, request: GroupInfoRequest): Promise<Uint8Array> {
    const { roomId, groupId } = room
    const { cipherSuite: suite, groupInfoKey: publicKey } = request
    const plaintext = await this.describe(caller, groupId, request)
    const sealing = { suite, publicKey, label: GROUP_INFO_ENCRYPTION_LABEL, context: Buffer.from(roomId) }
    const sealed = await encryptWithLabel(sealing, plaintext)
    const hub = (await this.senders.keys()).get(SCHEME_OF_SUITE.get(suite) ?? 0)
    if (!sealed || !hub) throw new Undecodable('The groupInfoPublicKey is not a valid key of the cipher suite.')
    const hubCredential = { kind: 'basic', identity: Buffer.from(this.senders.identity) } as const
    const tbs = groupInfoResponseTbs(roomId, { cipherSuite: suite, hubKey: hub.publicKey, hubCredential, ...sealed })
    return encodeGroupInfoResponse(tbs, await signWithLabel(hub.privateKey, GROUP_INFO_RESPONSE_LABEL, tbs))
  }

  private async describe(caller: Caller, groupId: Uint8Array, { joiningCode }: GroupInfoRequest): Promise<Uint8Array> {
    const code = joiningCode.length > 0 ? Buffer.from(joiningCode).toString('utf8') : undefined
    const shown = await this.operations.perform('group-info', caller, groupId, { join_code: code })
    const { epoch, group_info: groupInfo } = shown
    const { ratchet_tree: tree } = await this.operations.perform('tree', caller, groupId, { epoch, join_code: code })
    const group = await findGroup(this.pool, groupId)
    const proposals = group ? await readPublicProposals(this.pool, group.gid, epoch, 0n) : []
    const pending = proposals.map(({ bytes, acceptedAt }) => ({ proposal: bytes, acceptedAtMs: BigInt(acceptedAt.getTime()) }))
    return encodeGroupInfoAndTree({ groupInfo, tree: { kind: 'full', tree }, pending })
  }
}
