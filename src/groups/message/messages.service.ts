import { Inject, Injectable } from '@nestjs/common'
import { LRUCache } from 'lru-cache'
import type { Pool } from 'pg'
import type { Caller } from '../../authentication/session/caller.js'
import type { AppendOutcome } from '../../delivery/append/append.repository.js'
import { Appender } from '../../delivery/append/appender.js'
import { GroupDeleted, UnknownGroup } from '../../delivery/delivery.problems.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Undecodable } from '../../platform/http/problem.js'
import { POOL } from '../../platform/postgres/sql.js'
import { sha256 } from '../../protocol/sha256.js'
import type { Accepted, SubmitMessage } from '../groups.dto.js'
import { EpochAhead, GroupFrozen, IncarnationChanged, StaleEpoch } from '../groups.problems.js'
import { GroupLocator } from '../home/group-locator.js'
import { decodeAs, refuseOtherGroup } from '../input/mls-input.js'
import { notAMember, openGroup } from '../access/access.js'
import { findGroup } from '../repository/groups.repository.js'
import { storageFull } from '../usage/storage-full.js'
import { readStorage, unmarkOverQuota } from '../usage/usage.repository.js'
import { missedEntries } from '../state/submission-refusals.js'

/** More than a node's share of live groups, at a few megabytes. */
const REMEMBERED_GROUPS = 50_000

/**
 * Application messages (RFC 9420 §6: PrivateMessages always). The server sees a group, an epoch and a size, checks that
 * the device may post, and does not write down which one it was.
 */
@Injectable()
export class MessagesService {
  /** Address to gid. Never stale: a deleted group keeps its row, and its address is never given to another. */
  private readonly gids = new LRUCache<string, bigint>({ max: REMEMBERED_GROUPS })

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'MAX_MESSAGE_BYTES' | 'GROUP_MAX_BYTES' | 'ACCOUNT_MAX_BYTES'>,
    private readonly appender: Appender,
    private readonly locator: GroupLocator,
  ) {}

  async submit(caller: Caller, groupId: Uint8Array, { message: bytes, incarnation: madeIn }: SubmitMessage): Promise<Accepted> {
    const message = decodeAs(bytes, this.config.MAX_MESSAGE_BYTES, 'message', 'private-message')
    if (message.body.contentType !== 'application') throw new Undecodable('A handshake is not posted as an application message.')
    refuseOtherGroup(await this.locator.mlsIdOf(groupId), message.body, 'message')
    const gid = await this.gid(groupId)
    const { epoch } = message.body
    const post = { gid, deviceId: caller.deviceId, epoch, madeIn, hash: sha256(bytes), bytes }
    let outcome = await this.appender.append(post)
    if (outcome.kind === 'full' && (await unmarkOverQuota(this.pool, gid, this.config.ACCOUNT_MAX_BYTES)))
      outcome = await this.appender.append(post)
    if (!('chain' in outcome)) throw await this.refusal(caller, groupId, gid, epoch, outcome)
    return outcome
  }

  private async gid(groupId: Uint8Array): Promise<bigint> {
    const key = Buffer.from(groupId).toString('latin1')
    const known = this.gids.get(key)
    if (known !== undefined) return known
    const group = await findGroup(this.pool, groupId)
    if (!group) throw new UnknownGroup()
    this.gids.set(key, group.gid)
    return group.gid
  }

  private async refusal(caller: Caller, groupId: Uint8Array, gid: bigint, epoch: bigint, outcome: AppendOutcome): Promise<Error> {
    switch (outcome.kind) {
      case 'not-a-member': {
        const { standing } = await openGroup(this.pool, groupId, caller)
        return notAMember(standing)
      }
      case 'frozen': {
        const group = await findGroup(this.pool, groupId)
        return new GroupFrozen(group?.frozen ?? 'reset', group?.successorGroupId ?? null)
      }
      case 'stale':
        return new StaleEpoch(
          outcome.currentEpoch,
          outcome.incarnation,
          await missedEntries(this.pool, { gid, groupId, ...outcome }, caller.deviceId, epoch),
        )
      case 'incarnation':
        return new IncarnationChanged(outcome.incarnation, outcome.currentEpoch)
      case 'ahead':
        return new EpochAhead(outcome.currentEpoch)
      case 'full': {
        const { GROUP_MAX_BYTES: ofGroup, ACCOUNT_MAX_BYTES: ofAccount } = this.config
        const overQuota = (await readStorage(this.pool, gid, caller.deviceId))?.overQuota === true
        const full = { gid, deviceId: caller.deviceId }
        return overQuota ? storageFull(this.pool, full, 'account', ofAccount) : storageFull(this.pool, full, 'group', ofGroup)
      }
      case 'deleted':
        return new GroupDeleted()
      default:
        return new UnknownGroup()
    }
  }
}
