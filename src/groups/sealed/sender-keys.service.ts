import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Caller } from '../../authentication/session/caller.js'
import { GroupDeleted, UnknownGroup } from '../../delivery/delivery.problems.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { POOL } from '../../platform/postgres/sql.js'
import { provesPossession } from '../../protocol/sealed/sender-key.js'
import { openAsMember } from '../access/access.js'
import { EpochAhead, GroupFrozen, NotAMember, StaleEpoch } from '../groups.problems.js'
import type { GroupRow } from '../repository/groups.repository.js'
import { PossessionUnproved, SenderKeyTaken } from './sealed.problems.js'
import type { PublishSenderKey, SenderKeys } from './sealed.dto.js'
import { publishSenderKey, readSenderKeys, type PublicationOutcome } from './sender-keys.repository.js'

/** The set of keys of an epoch with which posts without a sender may be signed (§9). */
@Injectable()
export class SenderKeysService {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'MAX_PAST_EPOCHS'>,
  ) {}

  /** A wrong key takes nobody else's place, and stands under the name of whoever published it. Again, it changes nothing. */
  async publish(caller: Caller, groupId: Uint8Array, { epoch, public_key: publicKey, proof }: PublishSenderKey): Promise<SenderKeys> {
    const { group } = await openAsMember(this.pool, groupId, caller)
    if (!provesPossession({ groupId, epoch, user: caller.user, publicKey }, proof)) throw new PossessionUnproved()
    const { deviceId, userId } = caller
    const published = await publishSenderKey(this.pool, { gid: group.gid, deviceId, userId, epoch, publicKey }, this.config.MAX_PAST_EPOCHS)
    if (published.outcome !== 'accepted') throw refusal(published, group)
    return this.keys(group.gid, epoch)
  }

  /** @param epoch the group's by default */
  async read(caller: Caller, groupId: Uint8Array, epoch?: bigint): Promise<SenderKeys> {
    const { group } = await openAsMember(this.pool, groupId, caller)
    return this.keys(group.gid, epoch ?? group.epoch)
  }

  private async keys(gid: bigint, epoch: bigint): Promise<SenderKeys> {
    const keys = await readSenderKeys(this.pool, gid, epoch)
    return { epoch, keys: keys.map(({ user, publicKey }) => ({ user, public_key: publicKey })) }
  }
}

function refusal({ outcome, currentEpoch, incarnation }: PublicationOutcome, group: GroupRow): Error {
  switch (outcome) {
    case 'conflict':
      return new SenderKeyTaken()
    case 'stale':
      return new StaleEpoch(currentEpoch, incarnation, [])
    case 'ahead':
      return new EpochAhead(currentEpoch)
    case 'frozen':
      return new GroupFrozen(group.frozen ?? 'reset', group.successorGroupId)
    case 'deleted':
      return new GroupDeleted()
    case 'unknown':
      return new UnknownGroup()
    default:
      return new NotAMember()
  }
}
