import { verify } from 'node:crypto'
import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { Events } from '../../platform/observability/events.js'
import { POOL } from '../../platform/postgres/sql.js'
import { sameBytes } from '../../protocol/bytes.js'
import {
  decodeErasureReceipt,
  encodeEraseUserRequest,
  erasureReceiptBytes,
  type ErasureReceipt,
} from '../../protocol/mimi/microchat/erasure.js'
import { retryDelay } from '../../protocol/retry-policy.js'
import { erasureConfirmed, erasureRefused } from '../federation.events.js'
import { directoryOfKey } from '../evidence/kept-directories.repository.js'
import { isPast } from '../evidence/receipt-time.js'
import { SignedClient, type PeerAnswer } from '../outbound/signed-client.js'
import { PeerDirectories } from '../peers/peer-directories.js'
import { failed, isOfTheGroup } from '../push/answers.js'
import { deliverInTurn, REQUESTS_AT_ONCE, type Delivered } from '../push/delivery.js'
import { keepErasureReceipt, pendingErasures, postponeErasure, type PendingErasure } from './erasures.repository.js'

/** A peer of a release before does not know how: it is asked again when it may have been updated. */
const UNSUPPORTED_MS = 6 * 3_600_000

/** Has peers erase users who were deleted here, and repeats it until each has sent a signed receipt. */
@Injectable()
export class UserErasures {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly client: SignedClient,
    private readonly directories: PeerDirectories,
    private readonly events: Events,
  ) {}

  /** The peer's next erasures: see `deliverInTurn`. */
  async deliver(domain: string, until: number, signal: AbortSignal): Promise<Delivered> {
    const pending = await pendingErasures(this.pool, domain, REQUESTS_AT_ONCE)
    return deliverInTurn(pending, until, (erasure) => this.ask(domain, erasure, signal))
  }

  private async ask(domain: string, erasure: PendingErasure, signal: AbortSignal): Promise<Delivered> {
    const body = encodeEraseUserRequest(erasure)
    const answer = await this.client.send({ peer: domain, endpoint: 'eraseUser', argument: erasure.user, body, signal })
    if (answer.kind !== 'answered' || answer.status !== 200) return this.notDone(domain, erasure, answer)
    const decoded = decodeErasureReceipt(answer.body)
    if (decoded.kind !== 'decoded' || !(await this.isReceipt(domain, erasure, decoded.value)))
      return this.postpone(domain, erasure, retryDelay(erasure.failures + 1, Math.random()), 'The receipt of the erasure is not one.')
    const directory = await directoryOfKey(this.pool, domain, decoded.value.keyId)
    await keepErasureReceipt(this.pool, domain, erasure.erasureId, { bytes: answer.body, directory })
    erasureConfirmed(this.events)
    return { kind: 'moved' }
  }

  private notDone(domain: string, erasure: PendingErasure, answer: PeerAnswer): Promise<Delivered> | Delivered {
    const outcome = failed(answer)
    const unsupported = answer.kind === 'no-endpoint' || (answer.kind === 'answered' && answer.status === 404)
    if (unsupported) return this.postpone(domain, erasure, UNSUPPORTED_MS, outcome.why)
    return isOfTheGroup(answer) ? this.postpone(domain, erasure, retryDelay(erasure.failures + 1, Math.random()), outcome.why) : outcome
  }

  private async postpone(domain: string, erasure: PendingErasure, delayMs: number, why: string): Promise<Delivered> {
    await postponeErasure(this.pool, domain, erasure, delayMs, why)
    erasureRefused(this.events)
    return { kind: 'stopped' }
  }

  /** Whether it is the peer's receipt of this erasure, for this server. */
  private async isReceipt(domain: string, { erasureId, user }: PendingErasure, receipt: ErasureReceipt): Promise<boolean> {
    if (!sameBytes(receipt.erasureId, erasureId) || !isPast(receipt.erasedAtMs)) return false
    const key = await this.directories.key(domain, receipt.keyId, new Date())
    return key !== undefined && verify(null, erasureReceiptBytes({ user, eraser: domain }, receipt), key, receipt.signature)
  }
}
