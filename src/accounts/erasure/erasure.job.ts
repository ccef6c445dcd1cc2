import { Inject, Injectable, type OnModuleInit } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Logger } from 'pino'
import { ErasedNames } from '../../authentication/accounts/erased-names.js'
import { accountErased } from '../../authentication/authentication.events.js'
import { DeletedGroups } from '../../groups/delete/deleted-groups.job.js'
import { deleteGroup } from '../../groups/repository/groups.repository.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Jobs } from '../../platform/jobs/jobs.js'
import { Events } from '../../platform/observability/events.js'
import { LOG } from '../../platform/observability/log.js'
import { POOL, transaction } from '../../platform/postgres/sql.js'
import { parseUserUri } from '../../protocol/identifiers.js'
import { deviceIdsOf, eraseRows } from '../personal/personal-data.repository.js'
import { PERSONAL_TABLES } from '../personal/personal-tables.js'
import {
  desertedGroups,
  endLastMemberships,
  finishErasure,
  forgetErasedNames,
  holdGroup,
  unfinishedErasures,
  type UnfinishedErasure,
} from './erasure.repository.js'

const JOB = 'accounts.erasures_v1'
const INTERVAL_MS = 60_000
/** Requests that were let in before a deletion may write for as long; longer than any is served. */
const SETTLED_MS = 30_000
/** Rows that one statement deletes. */
const ROWS = 1_000
const AT_ONCE = 100
const DELETE_TIMEOUT_MS = 5 * 60_000

/** What follows from a step of an erasure: what the operator hears, which is never of whom, and the rows of a deleted group. */
@Injectable()
export class ErasureFollowUps {
  constructor(
    private readonly events: Events,
    private readonly remains: DeletedGroups,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  erased(): void {
    accountErased(this.events)
  }

  groupDeleted(gid: bigint, devices: readonly bigint[]): void {
    this.remains.deleted({ gid, headSeq: 0n, devices })
  }

  failed(error: unknown): void {
    this.log.error({ err: error }, 'an account could not be erased')
  }
}

/**
 * Deletes what is left of deleted accounts, in slices, each a statement of its own: stopped half-way, the next run continues. Nobody can use
 * any of it any more, so that it has time. The last step waits until all devices are out of all groups.
 */
@Injectable()
export class Erasures implements OnModuleInit {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN' | 'NAME_QUARANTINE'>,
    private readonly jobs: Jobs,
    private readonly names: ErasedNames,
    private readonly rest: ErasureFollowUps,
  ) {}

  onModuleInit(): void {
    this.jobs.every(JOB, INTERVAL_MS, () => this.run())
  }

  /** One account's trouble does not keep the others waiting. */
  async run(): Promise<void> {
    const ages = { limit: AT_ONCE, ageMs: SETTLED_MS, quarantineMs: this.config.NAME_QUARANTINE }
    for (let after: bigint | undefined = 0n; after !== undefined;) {
      const accounts: UnfinishedErasure[] = await unfinishedErasures(this.pool, { ...ages, after })
      for (const account of accounts) await this.erase(account).catch((error: unknown) => this.rest.failed(error))
      after = accounts.at(-1)?.accountId
    }
    await forgetErasedNames(this.pool, this.config.NAME_QUARANTINE)
  }

  private async erase({ accountId, user, late }: UnfinishedErasure): Promise<void> {
    const standIn = this.names.standIn(user)
    const owner = { accountId, user, deviceIds: await deviceIdsOf(this.pool, accountId) }
    for (const gid of await desertedGroups(this.pool, owner.deviceIds)) await this.deleteDeserted(gid, owner.deviceIds)
    await endLastMemberships(this.pool, owner.deviceIds, late)
    for (const table of PERSONAL_TABLES) while ((await eraseRows(this.pool, table, owner, standIn, ROWS)) >= ROWS);
    const keep = parseUserUri(user)?.domain === this.config.DOMAIN
    if ((await finishErasure(this.pool, accountId, { standIn, afterMs: SETTLED_MS, keep })) === 'erased') this.rest.erased()
  }

  /** Asked again with the group held: somebody may have joined. */
  private async deleteDeserted(gid: bigint, deviceIds: readonly bigint[]): Promise<void> {
    const deletion = await transaction(
      this.pool,
      async (sql) => {
        await holdGroup(sql, gid)
        return (await desertedGroups(sql, deviceIds)).includes(gid) ? deleteGroup(sql, this.config.DOMAIN, gid) : undefined
      },
      { statementTimeout: DELETE_TIMEOUT_MS },
    )
    if (deletion?.kind === 'accepted') this.rest.groupDeleted(gid, deletion.devices)
  }
}
