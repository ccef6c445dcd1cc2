import { Inject, Injectable } from '@nestjs/common'
import { verify } from 'node:crypto'
import type { Pool } from 'pg'
import { Events } from '../../platform/observability/events.js'
import { retryDelay } from '../../protocol/retry-policy.js'
import { POOL } from '../../platform/postgres/sql.js'
import { sameBytes } from '../../protocol/bytes.js'
import {
  decodeDeletionReceipt,
  encodeDeleteRoomRequest,
  receiptBytes,
  type DeletionReceipt,
} from '../../protocol/mimi/microchat/deletion.js'
import { directoryOfKey } from '../evidence/kept-directories.repository.js'
import { isPast } from '../evidence/receipt-time.js'
import { providerOf } from '../inbound/peer.js'
import { PeerDirectories } from '../peers/peer-directories.js'
import { SignedClient } from '../outbound/signed-client.js'
import { failed, isOfTheGroup } from './answers.js'
import { deliverInTurn, REQUESTS_AT_ONCE, type Delivered } from './delivery.js'
import { keepReceipt, pendingDeletions, postponeDeletion, type PendingDeletion } from './deletions.repository.js'
import { deletionConfirmed, deletionRefused } from '../federation.events.js'

const UNSUPPORTED_MS = 6 * 3_600_000

/** Has peers delete the replicas of deleted groups, and repeats it until each has sent a signed receipt. */
@Injectable()
export class Deletions {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly client: SignedClient,
    private readonly directories: PeerDirectories,
    private readonly events: Events,
  ) {}

  /** The peer's next deletions: see `deliverInTurn`. */
  async deliver(domain: string, until: number, signal: AbortSignal): Promise<Delivered> {
    const pending = await pendingDeletions(this.pool, domain, REQUESTS_AT_ONCE)
    return deliverInTurn(pending, until, (deletion) => this.ask(domain, deletion, signal))
  }

  private async ask(domain: string, deletion: PendingDeletion, signal: AbortSignal): Promise<Delivered> {
    const body = encodeDeleteRoomRequest(deletion)
    const answer = await this.client.send({ peer: domain, endpoint: 'deleteRoom', argument: deletion.roomId, body, signal })
    if (answer.kind !== 'answered' || answer.status !== 200) {
      const outcome = failed(answer)
      // A peer of the draft has no such endpoint: its room falls silent, and nothing else waits for that.
      if (answer.kind === 'no-endpoint') return this.postpone(domain, deletion, outcome.why, UNSUPPORTED_MS)
      return isOfTheGroup(answer) ? this.postpone(domain, deletion, outcome.why) : outcome
    }
    const decoded = decodeDeletionReceipt(answer.body)
    const receipt = decoded.kind === 'decoded' ? decoded.value : undefined
    if (!receipt || !(await this.isReceipt(domain, deletion, receipt)))
      return this.postpone(domain, deletion, 'The receipt of the deletion is not one.')
    const directory = await directoryOfKey(this.pool, domain, receipt.keyId)
    await keepReceipt(this.pool, domain, deletion.groupId, { bytes: answer.body, entries: receipt.deletedEntries, directory })
    deletionConfirmed(this.events)
    return { kind: 'moved' }
  }

  private async postpone(
    domain: string,
    deletion: PendingDeletion,
    why: string,
    delayMs = retryDelay(deletion.failures + 1, Math.random()),
  ): Promise<Delivered> {
    await postponeDeletion(this.pool, domain, deletion, delayMs, why)
    deletionRefused(this.events)
    return { kind: 'stopped' }
  }

  /** Whether it is the peer's receipt of this deletion, for this server: all that it says is compared, but for how many entries there were. */
  private async isReceipt(domain: string, deletion: PendingDeletion, receipt: DeletionReceipt): Promise<boolean> {
    const { groupId, roomId, incarnation } = deletion
    const same = sameBytes(receipt.groupId, groupId) && receipt.roomId === roomId && receipt.incarnation === incarnation
    if (!same || !isPast(receipt.deletedAtMs)) return false
    const key = await this.directories.key(domain, receipt.keyId, new Date())
    const parties = { hub: providerOf(roomId) ?? '', follower: domain }
    return key !== undefined && verify(null, receiptBytes(parties, receipt), key, receipt.signature)
  }
}
