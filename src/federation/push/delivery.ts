import { Inject, Injectable } from '@nestjs/common'
import { LRUCache } from 'lru-cache'
import type { Pool } from 'pg'
import { Events } from '../../platform/observability/events.js'
import { POOL } from '../../platform/postgres/sql.js'
import { encodeNotifyBatch } from '../../protocol/mimi/microchat/notify-batch.js'
import { decodeNotifyResponse, type NotifyResponse } from '../../protocol/mimi/microchat/notify-response.js'
import { retryDelay } from '../../protocol/retry-policy.js'
import { DraftPush } from '../draft/draft-push.js'
import { SignedClient, type PeerAnswer } from '../outbound/signed-client.js'
import { failed, isOfTheGroup, isPermanent, isTooLarge, type Failed } from './answers.js'
import { Batches, type OutgoingBatch } from './batches.js'
import { advanceCursor, failuresOf, holdCursor, postponeCursor, rewindCursor } from './cursors.repository.js'
import { HeldBackGroups, isHeldBack } from './held-back-groups.js'
import { batchPostponed, batchPushed, laneStopped } from '../federation.events.js'

/** What came of one batch. */
export type Delivered =
  | { readonly kind: 'moved' }
  /** The peer's replica ends elsewhere than its cursor said. */
  | { readonly kind: 'relocated' }
  /** There is nothing more now. `againMs`: what waits by itself is tried again then. */
  | { readonly kind: 'level'; readonly againMs?: number }
  | { readonly kind: 'stopped' }
  /** The peer keeps as much of this group as it may for now; it says nothing about its other groups. */
  | { readonly kind: 'held-back' }
  /** The peer cannot take this now; what else it is sent may be another matter. */
  | Postponed
  | Failed

/** Nothing is written down yet: only a whole run shows whether it is the group, or the peer (`Delivery.postpone`). */
export interface Postponed {
  readonly kind: 'postponed'
  readonly why: string
  readonly retryAfter: number | undefined
}

/** The most that a peer is asked at once for what is not of one group's log. */
export const REQUESTS_AT_ONCE = 20

/**
 * Asks a peer for one thing after the other, until the time is up. One that is refused waits by itself; only a peer that cannot be asked fails.
 * @param pending up to `REQUESTS_AT_ONCE`
 */
export async function deliverInTurn<T>(pending: readonly T[], until: number, ask: (one: T) => Promise<Delivered>): Promise<Delivered> {
  for (const one of pending) {
    if (performance.now() >= until) return { kind: 'moved' }
    const outcome = await ask(one)
    if (outcome.kind === 'failed') return outcome
  }
  return { kind: pending.length === REQUESTS_AT_ONCE ? 'moved' : 'level' }
}

/** Below what bigint holds, and above any log. */
const MAX_SEQ = 2n ** 53n

const MAX_REMEMBERED = 10_000

/** A group that the peer could not take as often in a row counts as refused. That is after some half an hour. */
const MOST_FAILURES = 12
/** Until a group that counts as refused is tried again: the peer may have been mended. */
const STOPPED_MS = 6 * 3_600_000
/** Batches taken one after the other, before larger ones are tried again. */
const GROW_AFTER = 16

/** Sends the next batch of one group to one peer, and moves the peer's cursor by what it answers. */
@Injectable()
export class Delivery {
  /** When a peer last took a batch, and when it last could not take one of a group, in milliseconds of this process. */
  private readonly takenAt = new LRUCache<string, number>({ max: MAX_REMEMBERED })
  private readonly failedAt = new LRUCache<string, number>({ max: MAX_REMEMBERED })
  /** What part of the usual size peers take, where it is not all, and how many batches of that size they have taken. */
  private readonly shares = new LRUCache<string, { part: number; taken: number }>({ max: MAX_REMEMBERED })

  private readonly heldBack = new HeldBackGroups()

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly batches: Batches,
    private readonly client: SignedClient,
    private readonly events: Events,
    private readonly drafts: DraftPush,
  ) {}

  async deliver(domain: string, gid: bigint, signal: AbortSignal): Promise<Delivered> {
    const share = Math.min(this.shares.get(domain)?.part ?? 1, this.heldBack.shareOf(domain, gid))
    const outgoing = await this.batches.next(domain, gid, { share })
    if (!outgoing) return { kind: 'level' }
    if (await this.drafts.speaksDraft(domain)) return this.deliverDraft(domain, gid, outgoing, signal)
    const { batch } = outgoing
    const body = encodeNotifyBatch(batch)
    const answer = await this.client.send({ peer: domain, endpoint: 'notify', argument: batch.roomId, body, signal })
    if (answer.kind === 'answered' && answer.status === 200) return this.answered(domain, gid, outgoing, answer.body)
    if (isHeldBack(answer)) return this.holdBack(domain, gid, outgoing, answer)
    if (isTooLarge(answer)) return this.tooLarge(domain, gid, outgoing, share)
    return this.refused(domain, gid, answer)
  }

  /** To a peer of the draft, message by message: it has what it has taken, whatever becomes of the next one. */
  private async deliverDraft(domain: string, gid: bigint, outgoing: OutgoingBatch, signal: AbortSignal): Promise<Delivered> {
    const { batch, stops } = outgoing
    const { through, refusal } = await this.drafts.push(domain, batch, signal)
    const taken = Number(through - batch.firstSeq) + 1
    if (taken > 0) {
      batchPushed(this.events, taken)
      this.takenAt.set(domain, performance.now())
    }
    if (taken > 0 || !refusal) await advanceCursor(this.pool, { domain, gid }, through, batch.incarnation, refusal ? null : stops)
    return refusal ? this.refused(domain, gid, refusal) : { kind: 'moved' }
  }

  /** Half as much, from now on; a proxy on the way may take less than the peer. What cannot be divided leaves the lane. */
  private async tooLarge(domain: string, gid: bigint, { batch }: OutgoingBatch, share: number): Promise<Delivered> {
    const isWhole = batch.entries.length <= 1 && !batch.welcomes.some(({ message }) => message.tree?.kind === 'full')
    if (isWhole) return this.stop(domain, gid, 'The peer takes no body as large as the next entry needs.')
    this.shares.set(domain, { part: share / 2, taken: 0 })
    return { kind: 'moved' }
  }

  /** Less at once, until it is one entry: that a device joins has to get through, or it never reads what makes room. Then the group waits. */
  private async holdBack(domain: string, gid: bigint, { batch }: OutgoingBatch, answer: PeerAnswer): Promise<Delivered> {
    if (batch.entries.length > 1) {
      this.heldBack.halve(domain, gid, batch.entries.length)
      return { kind: 'moved' }
    }
    const { why, retryAfter } = failed(answer)
    await holdCursor(this.pool, { domain, gid }, retryDelay(1, Math.random(), retryAfter), why)
    return { kind: 'held-back' }
  }

  /** What a peer could not take once, as its proxy had a bad day, it may take later. */
  private grow(domain: string): void {
    const share = this.shares.get(domain)
    if (!share) return
    const grown = share.taken + 1 < GROW_AFTER ? { ...share, taken: share.taken + 1 } : { part: share.part * 2, taken: 0 }
    if (grown.part < 1) this.shares.set(domain, grown)
    else this.shares.delete(domain)
  }

  private async answered(domain: string, gid: bigint, outgoing: OutgoingBatch, body: Uint8Array): Promise<Delivered> {
    const decoded = decodeNotifyResponse(body)
    if (decoded.kind === 'malformed') return { kind: 'postponed', why: 'The answer is malformed.', retryAfter: undefined }
    const response = decoded.value
    switch (response.code) {
      case 'received':
        return this.received(domain, gid, outgoing, response.receivedThrough)
      case 'have':
        return this.have(domain, gid, outgoing, response)
      case 'stopped':
        return this.stop(domain, gid, 'The peer has stopped following the group.')
    }
  }

  private async received(
    domain: string,
    gid: bigint,
    { batch, lastSeq, stops }: OutgoingBatch,
    receivedThrough: bigint,
  ): Promise<Delivered> {
    // A batch without entries ends where it begins. Any other has to bring the peer further, or it would be sent forever.
    const least = batch.entries.length > 0 ? batch.firstSeq : lastSeq
    if (receivedThrough < least) return this.stop(domain, gid, 'The peer says that it received a batch, and nothing of it.')
    batchPushed(this.events, batch.entries.length)
    this.takenAt.set(domain, performance.now())
    this.grow(domain)
    this.heldBack.grow(domain, gid)
    await advanceCursor(this.pool, { domain, gid }, atMost(receivedThrough, lastSeq), batch.incarnation, stops)
    return { kind: 'moved' }
  }

  /** The peer's replica ends elsewhere: delivery continues there, unless that is where it was tried, or behind our own end. */
  private async have(
    domain: string,
    gid: bigint,
    { batch }: OutgoingBatch,
    { receivedThrough, incarnation }: NotifyResponse,
  ): Promise<Delivered> {
    const tried = batch.firstSeq - 1n
    if (receivedThrough === tried) return this.stop(domain, gid, 'The peer does not take the batch that continues its replica.')
    if (
      receivedThrough > MAX_SEQ ||
      (receivedThrough > tried && !(await advanceCursor(this.pool, { domain, gid }, receivedThrough, incarnation)))
    )
      return this.stop(domain, gid, 'The peer says that it has more of the group than there is.')
    if (receivedThrough < tried) await rewindCursor(this.pool, domain, gid, receivedThrough)
    return { kind: 'relocated' }
  }

  private async refused(domain: string, gid: bigint, answer: PeerAnswer): Promise<Delivered> {
    const { why, retryAfter } = failed(answer)
    if (!isOfTheGroup(answer)) return { kind: 'failed', why, retryAfter }
    return isPermanent(answer) ? this.stop(domain, gid, `The peer refuses the batch. ${why}`) : { kind: 'postponed', why, retryAfter }
  }

  /**
   * The group waits by itself: what is wrong with its batch need not be wrong with others. It is taken out of the lane after many times, but only
   * if the peer has taken something else meanwhile: one that takes nothing at all says nothing about a group.
   * @returns milliseconds until the next try
   */
  async postpone(domain: string, gid: bigint, { why, retryAfter }: Postponed): Promise<number> {
    const failures = (await failuresOf(this.pool, domain, gid)) + 1
    const takesOthers = this.hasTakenSince(domain, gid)
    if (failures >= MOST_FAILURES && takesOthers) {
      await this.stop(domain, gid, `The peer has not taken the batch in ${failures} tries. ${why}`)
      return STOPPED_MS
    }
    const delayMs = retryDelay(failures, Math.random(), retryAfter)
    await postponeCursor(this.pool, { domain, gid }, { delayMs, why, stopped: false })
    batchPostponed(this.events, why)
    return delayMs
  }

  /** Notes the failure. @returns whether the peer has taken anything since the one before, as far as this process knows */
  private hasTakenSince(domain: string, gid: bigint): boolean {
    const group = `${domain} ${gid}`
    const last = this.failedAt.get(group)
    this.failedAt.set(group, performance.now())
    return last !== undefined && (this.takenAt.get(domain) ?? -Infinity) > last
  }

  /** Takes the group out of the lane for hours, or until the operator has looked at it. */
  async stop(domain: string, gid: bigint, why: string): Promise<Delivered> {
    await postponeCursor(this.pool, { domain, gid }, { delayMs: STOPPED_MS, why, stopped: true })
    laneStopped(this.events, why)
    return { kind: 'stopped' }
  }
}

function atMost(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}
