import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common'
import type { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Hints } from '../../platform/hints/hints.js'
import { Jobs } from '../../platform/jobs/jobs.js'
import { POOL } from '../../platform/postgres/sql.js'
import { HubNotifier } from './hub-notifier.js'
import { revokedMembers, type RevokedMember } from './revoked-members.repository.js'

const JOB = 'federation.revoked_v1'
const SWEEP_MS = 60_000
/** Devices that one hub is told of in a sweep. */
const AT_ONCE = 100

/** The hub proposes to remove devices that are revoked; of those of our users it has to hear from us. */
@Injectable()
export class RevokedMembers implements OnModuleInit, OnModuleDestroy {
  private unsubscribe = (): void => undefined

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'FEDERATION'>,
    private readonly jobs: Jobs,
    private readonly tell: HubNotifier,
    private readonly hints: Hints,
  ) {}

  onModuleInit(): void {
    if (this.config.FEDERATION === 'off') return
    this.jobs.every(JOB, SWEEP_MS, () => this.sweep())
    this.unsubscribe = this.hints.subscribe((hint) => {
      if (hint.kind === 'revoked') this.tell.soon(JOB, this.jobs)
    })
  }

  onModuleDestroy(): void {
    this.unsubscribe()
  }

  /** Those who are still in, again and again until they are out. */
  async sweep(): Promise<void> {
    const hubs = Map.groupBy(await revokedMembers(this.pool, AT_ONCE), ({ hub }) => hub)
    await Promise.all([...hubs.values()].map((members) => this.tellHub(members)))
  }

  /** Until it does not answer: it has the next sweep for the rest. */
  private async tellHub(members: readonly RevokedMember[]): Promise<void> {
    for (const one of members) if (!(await this.tell.revoked(one))) return
  }
}
