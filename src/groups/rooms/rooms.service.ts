import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import type { z } from 'zod'
import type { Caller } from '../../authentication/session/caller.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { NotFound } from '../../platform/http/problem.js'
import { POOL } from '../../platform/postgres/sql.js'
import { openFor } from '../access/access.js'
import { deliveryOf } from '../delivery/delivery-choice.repository.js'
import type { Group } from '../groups.dto.js'
import { shownIds } from '../home/group-ids.js'
import { FederationLink } from '../home/federation-link.js'
import { leavingClients } from '../removal/removal.repository.js'
import type { GroupRow } from '../repository/groups.repository.js'
import { foreignRoom, roomUri, type ListGroups, type MyGroups, type Room } from './rooms.dto.js'
import { findRoom, groupsOf, knowsRoom, readSuccession } from './rooms.repository.js'

type Shown = Pick<
  GroupRow,
  | 'groupId'
  | 'mlsGroupId'
  | 'mode'
  | 'cipherSuite'
  | 'incarnation'
  | 'epoch'
  | 'headSeq'
  | 'headChain'
  | 'postFloor'
  | 'roomId'
  | 'frozen'
  | 'successorGroupId'
>

/** What a device can look up about its groups and rooms. */
@Injectable()
export class RoomsService {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly link: FederationLink,
  ) {}

  async mine(caller: Caller, page: ListGroups): Promise<z.infer<typeof MyGroups>> {
    const rows = await groupsOf(this.pool, caller.deviceId, page.after ?? 0n, page.limit)
    const last = rows.length === page.limit ? rows.at(-1) : undefined
    return {
      groups: rows.map((row) => ({ ...shown(row), member_since: row.fromSeq, delivery: row.delivery })),
      ...(last ? { next: last.gid.toString() } : {}),
    }
  }

  /** Describes a group for its members, also a frozen one, which names its successor. What a former member may see ends with its interval. */
  async group(caller: Caller, groupId: Uint8Array): Promise<Group> {
    const { group, standing } = await openFor(this.pool, groupId, caller, 'read-group')
    const leaving = await leavingClients(this.pool, group.gid)
    const { successorOf, expected } = group.succeeds ? await readSuccession(this.pool, group.gid) : { successorOf: null, expected: [] }
    return {
      ...shown(group),
      ...(successorOf ? { successor_of: successorOf } : {}),
      ...(expected.length > 0 ? { expected } : {}),
      member_since: standing.member?.fromSeq,
      ...(leaving.length > 0 ? { leaving } : {}),
    }
  }

  /** A group as its hub shows it, with what only this server knows: how the device wants it delivered. */
  async asDelivered(caller: Caller, groupId: Uint8Array, group: Group): Promise<Group> {
    return { ...group, delivery: await deliveryOf(this.pool, groupId, caller.deviceId) }
  }

  /** A user who was never in the room gets the same answer as for a room that does not exist. */
  async room(caller: Caller, reference: string): Promise<z.infer<typeof Room>> {
    const foreign = foreignRoom(this.config.DOMAIN, reference)
    if (foreign && this.link.peers) {
      const { roomId, ...ids } = await this.link.peers.findRoom(caller, foreign.roomId)
      return { room: roomId, ...shownIds(ids) }
    }
    const uri = roomUri(this.config.DOMAIN, reference)
    const found = uri === undefined ? undefined : await findRoom(this.pool, uri)
    if (!found || uri === undefined || !(await knowsRoom(this.pool, uri, caller.userId))) throw new NotFound('No such room.')
    return { room: uri, ...shownIds(found) }
  }
}

function shown(row: Shown): Group {
  return {
    ...shownIds(row),
    mode: row.mode,
    cipher_suite: row.cipherSuite,
    incarnation: row.incarnation,
    epoch: row.epoch,
    head_seq: row.headSeq,
    head_chain: row.headChain,
    post_floor: row.postFloor,
    room: row.roomId,
    ...(row.frozen ? { frozen: row.frozen } : {}),
    ...(row.successorGroupId ? { successor: row.successorGroupId } : {}),
  }
}
