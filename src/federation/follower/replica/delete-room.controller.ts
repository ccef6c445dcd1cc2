import { Controller, Inject } from '@nestjs/common'
import type { Pool } from 'pg'
import { DeletedGroups } from '../../../groups/delete/deleted-groups.job.js'
import { rowOfGroup } from '../../../groups/repository/group-row.js'
import { deleteGroup } from '../../../groups/repository/groups.repository.js'
import { CONFIG, type Config } from '../../../platform/config/config.js'
import { Events } from '../../../platform/observability/events.js'
import { POOL, transaction, type Sql } from '../../../platform/postgres/sql.js'
import {
  decodeDeleteRoomRequest,
  encodeDeletionReceipt,
  receiptBytes,
  type DeleteRoomRequest,
} from '../../../protocol/mimi/microchat/deletion.js'
import { replicaDeleted } from '../../federation.events.js'
import { PEER_PATH } from '../../identity/endpoints.js'
import { ProviderKeys } from '../../identity/provider-keys.js'
import { RoomPost, RoomVariable } from '../../inbound/peer-route.js'
import { CurrentPeer, type Peer } from '../../inbound/peer.js'
import { RoomBody } from '../../inbound/room.guard.js'
import { HomeElsewhere } from '../../inbound/inbound.problems.js'
import { lockFollowed, noteDeleted, noteUnknownDeleted } from './deletion.repository.js'

/** Counting a long log takes longer than other statements may. */
const DELETE_TIMEOUT_MS = 5 * 60_000

/** Deletion of a group at its hub reaches the replica here; the receipt says how many entries went, also when it is asked for again. */
@Controller(PEER_PATH)
export class DeleteRoomController {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly keys: ProviderKeys,
    private readonly events: Events,
    private readonly remains: DeletedGroups,
  ) {}

  @RoomPost('deleteRoom/:roomId', { of: 'sender', read: decodeDeleteRoomRequest, room: ({ roomId }) => roomId })
  async delete(@CurrentPeer() peer: Peer, @RoomVariable() _roomId: string, @RoomBody() request: DeleteRoomRequest): Promise<Uint8Array> {
    const { entries, at } = await this.remove(peer, request)
    const receipt = { ...request, deletedEntries: entries, deletedAtMs: BigInt(at.getTime()) }
    const parties = { hub: peer.domain, follower: this.config.DOMAIN }
    return encodeDeletionReceipt({ ...receipt, ...(await this.keys.signBytes(receiptBytes(parties, receipt))) })
  }

  private async remove(peer: Peer, { groupId, roomId }: DeleteRoomRequest): Promise<{ entries: bigint; at: Date }> {
    const group = { hub: peer.domain, mlsGroupId: groupId }
    const work = async (sql: Sql) => {
      const home = await lockFollowed(sql, group)
      if (!home) {
        await noteUnknownDeleted(sql, group, roomId)
        return { entries: 0n, at: new Date(), devices: [], gid: null }
      }
      if (home.roomId !== roomId) throw new HomeElsewhere()
      if (home.deletedAt) return { entries: home.deletedEntries ?? 0n, at: home.deletedAt, devices: [], gid: null }
      const deletion = home.gid === null ? undefined : await deleteGroup(sql, this.config.DOMAIN, home.gid)
      const gone = deletion?.kind === 'accepted' ? deletion : { entries: 0n, devices: [] }
      const at = await noteDeleted(sql, home.groupId, gone.entries)
      return { entries: gone.entries, at, devices: gone.devices, gid: home.gid }
    }
    const { devices, gid, ...removed } = await transaction(this.pool, work, {
      statementTimeout: DELETE_TIMEOUT_MS,
      row: rowOfGroup(Buffer.concat([Buffer.from(peer.domain), groupId])),
    })
    if (gid !== null) {
      replicaDeleted(this.events, removed.entries)
      this.remains.deleted({ gid, headSeq: 0n, devices })
    }
    return removed
  }
}
