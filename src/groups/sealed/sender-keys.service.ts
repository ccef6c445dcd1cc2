import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Caller } from '../../authentication/session/caller.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { POOL } from '../../platform/postgres/sql.js'
import { provesPossession } from '../../protocol/sealed/sender-key.js'
import { openFor } from '../access/access.js'
import { submissionProblem } from '../state/submission-refusals.js'
import type { PublishSenderKey, SenderKeys } from './sealed.dto.js'
import { PossessionUnproved, SenderKeyTaken } from './sealed.problems.js'
import { publishSenderKey, readSenderKeys } from './sender-keys.repository.js'

/** The set of keys of an epoch with which posts without a sender may be signed (§9). */
@Injectable()
export class SenderKeysService {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'MAX_PAST_EPOCHS'>,
  ) {}

  /** A wrong key takes nobody else's place, and stands under the name of the one who published it. Again, it changes nothing. */
  async publish(caller: Caller, groupId: Uint8Array, { epoch, public_key: publicKey, proof }: PublishSenderKey): Promise<SenderKeys> {
    const { group } = await openFor(this.pool, groupId, caller, 'publish-sender-key')
    if (!provesPossession({ groupId: group.mlsGroupId, epoch, user: caller.user, publicKey }, proof)) throw new PossessionUnproved()
    const { deviceId, userId } = caller
    const published = await publishSenderKey(this.pool, { gid: group.gid, deviceId, userId, epoch, publicKey }, this.config.MAX_PAST_EPOCHS)
    if (published.kind === 'conflict') throw new SenderKeyTaken()
    if (published.kind !== 'accepted') throw await submissionProblem(this.pool, group, deviceId, epoch, published)
    return this.keys(group.gid, epoch)
  }

  /** @param epoch the group's by default */
  async read(caller: Caller, groupId: Uint8Array, epoch?: bigint): Promise<SenderKeys> {
    const { group } = await openFor(this.pool, groupId, caller, 'read-sender-keys')
    return this.keys(group.gid, epoch ?? group.epoch)
  }

  private async keys(gid: bigint, epoch: bigint): Promise<SenderKeys> {
    const keys = await readSenderKeys(this.pool, gid, epoch)
    return { epoch, keys: keys.map(({ user, publicKey }) => ({ user, public_key: publicKey })) }
  }
}
