import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Logger } from 'pino'
import { findHome, type Home } from '../../../groups/home/homes.repository.js'
import { findGroup } from '../../../groups/repository/groups.repository.js'
import { fromBase64url, toBase64url } from '../../../platform/http/bytes.js'
import { RateLimited } from '../../../platform/http/problem.js'
import { Jobs } from '../../../platform/jobs/jobs.js'
import { LOG } from '../../../platform/observability/log.js'
import { POOL } from '../../../platform/postgres/sql.js'
import { decodeLogResponse, encodeLogRequest } from '../../../protocol/mimi/microchat/notify-response.js'
import { SignedClient } from '../../outbound/signed-client.js'
import { PeerBytes } from '../../quotas/peer-bytes.js'
import { HeldBack } from '../../quotas/quotas.problems.js'
import { Replicas } from './replicas.js'

const PULL_JOB = 'federation.pull_v1'
/** A push usually comes first. */
const PUSH_TIMEOUT_MS = 2_000
const BATCHES_AT_ONCE = 50
const MAX_EXPECTED = 10_000

/** Fetches what a replica lacks from a hub that does not push it, as one that cannot reach this server. */
@Injectable()
export class Pull implements OnModuleInit, OnModuleDestroy {
  private readonly expected = new Map<string, { seq: bigint; timer: NodeJS.Timeout }>()

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly jobs: Jobs,
    private readonly client: SignedClient,
    private readonly replicas: Replicas,
    private readonly bytes: PeerBytes,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  onModuleInit(): void {
    this.jobs.process<{ group: string; seq: string }>(PULL_JOB, ({ group, seq }) => this.run(group, BigInt(seq)))
  }

  onModuleDestroy(): void {
    for (const { timer } of this.expected.values()) clearTimeout(timer)
  }

  /** The hub has an entry at `seq`: if it has not arrived after PUSH_TIMEOUT_MS, it is fetched. */
  expect(groupId: Uint8Array, seq: bigint): void {
    const group = toBase64url(groupId)
    const known = this.expected.get(group)
    if (known) known.seq = known.seq > seq ? known.seq : seq
    else if (this.expected.size < MAX_EXPECTED)
      this.expected.set(group, { seq, timer: setTimeout(() => this.look(group), PUSH_TIMEOUT_MS).unref() })
  }

  private look(group: string): void {
    const { seq } = this.expected.get(group) ?? { seq: 0n }
    this.expected.delete(group)
    this.missing(group, seq).catch((error: unknown) => this.log.warn({ err: error }, 'a replica waits for its hub'))
  }

  private async missing(group: string, seq: bigint): Promise<void> {
    const replica = await findGroup(this.pool, fromBase64url(group) ?? new Uint8Array())
    if (replica && (replica.deleted || replica.headSeq >= seq)) return
    await this.jobs.enqueue(PULL_JOB, { group, seq: seq.toString() }, { dedupeId: `pull:${group}`, attempts: 3 })
  }

  private async run(group: string, seq: bigint): Promise<void> {
    const groupId = fromBase64url(group)
    const home = groupId && (await findHome(this.pool, groupId))
    if (!home || home === 'here') return
    for (let batches = 0; batches < BATCHES_AT_ONCE; batches++) {
      const replica = await findGroup(this.pool, home.groupId)
      if (!replica || replica.deleted || replica.headSeq >= seq) return
      if (!(await this.next(home, replica.headSeq))) return
    }
    this.expect(home.groupId, seq)
  }

  /** @returns whether the replica has grown */
  private async next({ groupId, hub, roomId }: Home, afterSeq: bigint): Promise<boolean> {
    const answer = await this.client.send({ peer: hub, endpoint: 'log', argument: roomId, body: encodeLogRequest({ groupId, afterSeq }) })
    if (answer.kind !== 'answered' || answer.status !== 200) throw new Error('The hub gives no log now')
    const decoded = decodeLogResponse(answer.body)
    if (decoded.kind === 'malformed' || !decoded.value.batch) return false
    try {
      await this.bytes.take(hub, answer.body.length)
      const { code, receivedThrough } = await this.replicas.receive({ domain: hub }, decoded.value.batch)
      return code === 'received' && receivedThrough > afterSeq
    } catch (error) {
      // The hub brings it again, as soon as there is room for it.
      if (error instanceof HeldBack || error instanceof RateLimited) return false
      throw error
    }
  }
}
