import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Logger } from 'pino'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Hints } from '../../platform/hints/hints.js'
import { Jobs } from '../../platform/jobs/jobs.js'
import { LOG } from '../../platform/observability/log.js'
import { POOL } from '../../platform/postgres/sql.js'
import { encodeOperationRequest } from '../../protocol/mimi/microchat/operation.js'
import { SignedClient } from '../outbound/signed-client.js'
import { revokedMembers, type RevokedMember } from './revoked-members.repository.js'

/** Tells a hub to look up devices again that were revoked here. */
@Injectable()
export class HubNotifier {
  constructor(
    private readonly client: SignedClient,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  /** @returns whether the hub has heard it */
  async revoked({ client, groupId, hub, roomId }: RevokedMember): Promise<boolean> {
    const body = encodeOperationRequest({ operation: 'revoked', client, groupId, args: new Uint8Array() })
    const answer = await this.client.send({ peer: hub, endpoint: 'operation', argument: roomId, body })
    // A hub of the draft has no ear for it: members remove the device.
    const heard = (answer.kind === 'answered' && answer.status === 200) || answer.kind === 'no-endpoint'
    if (!heard) this.log.warn({ kind: answer.kind }, 'a hub has not heard of a revocation yet')
    return heard
  }

  /** Has a job run the sweep at once, on one node; asking many times is asking once. */
  enqueue(job: string, jobs: Jobs): void {
    jobs
      .enqueue(job, {}, { dedupeId: job, attempts: 1 })
      .catch((error: unknown) => this.log.warn({ err: error }, 'revocations wait for the sweep'))
  }
}

const JOB = 'federation.revoked_v1'
const SWEEP_MS = 60_000
/** Devices per hub and sweep. */
const AT_ONCE = 100

/** Notifies hubs of revoked devices of our users that are members of their groups; the hub then proposes to remove them. */
@Injectable()
export class RevokedMembers implements OnModuleInit, OnModuleDestroy {
  private unsubscribe = (): void => undefined

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'FEDERATION'>,
    private readonly jobs: Jobs,
    private readonly notifier: HubNotifier,
    private readonly hints: Hints,
  ) {}

  onModuleInit(): void {
    if (this.config.FEDERATION === 'off') return
    this.jobs.every(JOB, SWEEP_MS, () => this.sweep())
    this.unsubscribe = this.hints.subscribe((hint) => {
      if (hint.kind === 'revoked') this.notifier.enqueue(JOB, this.jobs)
    })
  }

  onModuleDestroy(): void {
    this.unsubscribe()
  }

  /** Notifies of every revoked device that is still a member, with each sweep until it is removed. */
  async sweep(): Promise<void> {
    const hubs = Map.groupBy(await revokedMembers(this.pool, AT_ONCE), ({ hub }) => hub)
    await Promise.all([...hubs.values()].map((members) => this.tellHub(members)))
  }

  /** Stops at the first request that fails; the next sweep does the rest. */
  private async tellHub(members: readonly RevokedMember[]): Promise<void> {
    for (const one of members) if (!(await this.notifier.revoked(one))) return
  }
}
