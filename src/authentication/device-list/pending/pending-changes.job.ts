import { Inject, Injectable, type OnModuleInit } from '@nestjs/common'
import { Pool } from 'pg'
import { TooLarge } from '../../../platform/http/problem.js'
import { Jobs } from '../../../platform/jobs/jobs.js'
import { Events } from '../../../platform/observability/events.js'
import { POOL, transaction, type Sql } from '../../../platform/postgres/sql.js'
import { lockAccount } from '../../accounts/accounts.repository.js'
import { pendingChangeSettled } from '../../authentication.events.js'
import { DeviceListChanged, InvalidDeviceList } from '../../authentication.problems.js'
import { tellDevices } from '../../devices/devices.repository.js'
import { Revocations } from '../../devices/revocations.js'
import { DeviceListChanges } from '../device-list-changes.js'
import { updateOf } from './change-decisions.js'
import { deletePending, findDueChanges, readPending, type PendingChange } from './pending-changes.repository.js'

const EVERY_MS = 10_000
/** Read by one statement. */
const AT_ONCE = 100

interface Due {
  readonly accountId: bigint
  readonly user: string
}

/** Changes of device lists that nobody has refused in time. Each takes effect in one transaction, whatever dies before and after. */
@Injectable()
export class PendingChangesJob implements OnModuleInit {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly jobs: Jobs,
    private readonly changes: DeviceListChanges,
    private readonly revocations: Revocations,
    private readonly events: Events,
  ) {}

  onModuleInit(): void {
    this.jobs.every('authentication.pending-changes_v1', EVERY_MS, () => this.run())
  }

  /** @throws the first failure, when all others had their turn */
  async run(): Promise<void> {
    const failed = new Map<bigint, unknown>()
    let due: Due[]
    do {
      // What has failed stays due, and must not keep those behind it from their turn.
      due = await findDueChanges(this.pool, AT_ONCE, [...failed.keys()])
      for (const one of due) await this.settle(one).catch((error: unknown) => failed.set(one.accountId, error))
    } while (due.length === AT_ONCE)
    for (const error of failed.values()) throw error
  }

  private async settle(due: Due): Promise<void> {
    const pending = await readPending(this.pool, due.accountId)
    if (pending === undefined) return
    try {
      if (await this.apply(due, pending)) pendingChangeSettled(this.events, 'effective')
    } catch (error) {
      // An operator has changed what it was checked against: it can never be written.
      if (!isForGood(error)) throw error
      await this.drop(due, pending)
      pendingChangeSettled(this.events, 'void')
    }
  }

  /** @returns false if another worker, or a refusal, came first */
  private async apply({ accountId, user }: Due, pending: PendingChange): Promise<boolean> {
    const change = await this.changes.prepareWaiting(user, accountId, updateOf(pending))
    let taken = false
    await this.revocations.revoke(async (sql) => {
      taken = await take(sql, accountId, pending)
      return taken ? this.changes.write(sql, accountId, change, { waited: true }) : { revoked: [], told: [] }
    })
    return taken
  }

  private async drop({ accountId }: Due, pending: PendingChange): Promise<void> {
    const told = await transaction(this.pool, async (sql) => {
      const payload = { number: pending.number }
      return (await take(sql, accountId, pending)) ? tellDevices(sql, accountId, { kind: 'device-list.dropped', payload }) : []
    })
    this.revocations.announce(told)
  }
}

function isForGood(error: unknown): boolean {
  return error instanceof InvalidDeviceList || error instanceof DeviceListChanged || error instanceof TooLarge
}

/** @returns whether it is there, and nobody else's to settle any more */
async function take(sql: Sql, accountId: bigint, { hash }: PendingChange): Promise<boolean> {
  return (await lockAccount(sql, accountId)) && deletePending(sql, accountId, hash)
}
