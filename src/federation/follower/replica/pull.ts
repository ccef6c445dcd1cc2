import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Logger } from 'pino'
import { findHome, type Home } from '../../../groups/home/homes.repository.js'
import { findGroup } from '../../../groups/repository/groups.repository.js'
import { fromBase64url, toBase64url } from '../../../platform/http/bytes.js'
import { Jobs } from '../../../platform/jobs/jobs.js'
import { LOG } from '../../../platform/observability/log.js'
import { POOL } from '../../../platform/postgres/sql.js'
import { decodeLogResponse, encodeLogRequest } from '../../../protocol/mimi/microchat/notify-response.js'
import { sameBytes } from '../../../protocol/bytes.js'
import { SignedClient } from '../../outbound/signed-client.js'
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
  private readonly running = new Map<string, Promise<boolean>>()

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly jobs: Jobs,
    private readonly client: SignedClient,
    private readonly replicas: Replicas,
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

  /**
   * Fetches what is missing up to `seq`, without a job; once at a time for each group.
   * @returns whether anything came by it @throws if the hub gives no answer that counts
   */
  now(home: Home, seq: bigint): Promise<boolean> {
    const group = `${home.hub} ${toBase64url(home.groupId)}`
    const running = this.running.get(group)
    if (running) return running
    const fetched = this.upTo(home, seq).finally(() => this.running.delete(group))
    this.running.set(group, fetched)
    return fetched
  }

  private async run(group: string, seq: bigint): Promise<void> {
    const groupId = fromBase64url(group)
    const home = groupId && (await findHome(this.pool, groupId))
    if (home && home !== 'here') await this.upTo(home, seq)
  }

  /** @returns whether the replica has grown by it */
  private async upTo(home: Home, seq: bigint): Promise<boolean> {
    for (let batches = 0; batches < BATCHES_AT_ONCE; batches++) {
      const replica = await findGroup(this.pool, home.groupId)
      if (replica && (replica.deleted || replica.headSeq >= seq)) return batches > 0
      if (!(await this.next(home, replica?.headSeq ?? 0n))) return batches > 0
    }
    this.expect(home.groupId, seq)
    return true
  }

  /** @returns whether the replica has grown */
  private async next({ mlsGroupId: groupId, hub, roomId }: Home, afterSeq: bigint): Promise<boolean> {
    const answer = await this.client.send({ peer: hub, endpoint: 'log', argument: roomId, body: encodeLogRequest({ groupId, afterSeq }) })
    if (answer.kind !== 'answered' || answer.status !== 200) throw new Error('The hub gives no log now')
    const decoded = decodeLogResponse(answer.body)
    if (decoded.kind === 'malformed' || !decoded.value.batch) return false
    const { batch } = decoded.value
    // An answer about something else is none: the hub could have it judged without asking for the group that it is about.
    if (batch.roomId !== roomId || !sameBytes(batch.groupId, groupId)) throw new Error('The hub answers with the log of another group')
    const stored = await this.replicas.fetched({ domain: hub }, batch, answer.body.length)
    return stored?.code === 'received' && stored.receivedThrough > afterSeq
  }
}
