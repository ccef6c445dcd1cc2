import { Inject, Injectable } from '@nestjs/common'
import { Pool } from 'pg'
import { Forbidden, NotFound } from '../../../platform/http/problem.js'
import { Events } from '../../../platform/observability/events.js'
import { POOL, transaction, type Sql } from '../../../platform/postgres/sql.js'
import { certificateOf, type DeviceList } from '../../../protocol/identity/device-list.js'
import { pendingChangeSettled } from '../../authentication.events.js'
import { tellDevices } from '../../devices/devices.repository.js'
import { Revocations } from '../../devices/revocations.js'
import type { Caller } from '../../session/caller.js'
import type { PresentedProof } from '../../step-up/step-up-header.js'
import { StepUp, type ProvenStepUp } from '../../step-up/step-up.js'
import { DeviceListChanges } from '../device-list-changes.js'
import type { DeviceListState, PendingListChange } from '../device-list.dto.js'
import { deletePending, readAges, readPending, type PendingChange } from './pending-changes.repository.js'
import { mayApprove, mayRefuse } from './waiting-rules.js'

/** What the user says of a change of the device list that waits. */
@Injectable()
export class ChangeDecisions {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly changes: DeviceListChanges,
    private readonly stepUp: StepUp,
    private readonly revocations: Revocations,
    private readonly events: Events,
  ) {}

  /** @throws NotFound */
  async read({ userId }: Caller): Promise<PendingListChange> {
    const { number, hash, effectiveAt, entries, head } = await this.pending(userId)
    return { number, hash, effective_at: effectiveAt, entries: [...entries], head }
  }

  /** It takes effect now. @throws NotFound, StepUpRequired, Forbidden for a key that has no say */
  async approve(caller: Caller, presented: PresentedProof | undefined): Promise<DeviceListState> {
    await this.changes.takeDecision(caller.client)
    const pending = await this.pending(caller.userId)
    const proof = await this.stepUp.prove(caller, 'approve-change', pending.hash, presented)
    const change = await this.changes.prepareWaiting(caller.user, caller.userId, updateOf(pending))
    await this.revocations.revoke(async (sql) => {
      await this.stepUp.spend(sql, caller, proof)
      await this.take(sql, caller, { pending, proof, list: change.before, by: mayApprove })
      return this.changes.write(sql, caller.userId, change, { waited: true })
    })
    pendingChangeSettled(this.events, 'approved')
    return { number: pending.number }
  }

  /** It never takes effect. @throws as `approve` */
  async refuse(caller: Caller, presented: PresentedProof | undefined): Promise<void> {
    await this.changes.takeDecision(caller.client)
    const pending = await this.pending(caller.userId)
    const proof = await this.stepUp.prove(caller, 'refuse-change', pending.hash, presented)
    const list = (await this.changes.current(caller.user, caller.userId))?.list
    const told = await transaction(this.pool, async (sql) => {
      await this.stepUp.spend(sql, caller, proof)
      await this.take(sql, caller, { pending, proof, list, by: mayRefuse })
      return tellDevices(sql, caller.userId, { kind: 'device-list.dropped', payload: { number: pending.number } })
    })
    this.revocations.announce(told)
    pendingChangeSettled(this.events, 'refused')
  }

  private async pending(accountId: bigint): Promise<PendingChange> {
    const pending = await readPending(this.pool, accountId)
    if (pending === undefined) throw new NotFound('No change of the device list waits.')
    return pending
  }

  /** Takes the change out of the database, if it is still there and the key has a say. With the account's lock held. */
  private async take(sql: Sql, caller: Caller, { pending, proof, list, by }: Decision): Promise<void> {
    const voter = proof.listed?.number ?? (list && certificateOf(list, caller.client)?.number)
    const ages = list && (await readAges(sql, caller.userId, list.identity))
    const has = list && ages && voter !== undefined && by(list, this.changes.seniority(list, ages, pending), voter, pending.signers)
    if (has !== true) throw new Forbidden('This key has no say over the change.')
    if (!(await deletePending(sql, caller.userId, pending.hash))) throw new NotFound('This change waits no more.')
  }
}

interface Decision {
  readonly pending: PendingChange
  readonly proof: ProvenStepUp
  readonly list: DeviceList | undefined
  readonly by: typeof mayApprove
}

/** What was sent when the change was asked for. */
export function updateOf({ entries, head }: PendingChange): { entries: Uint8Array[]; head: Uint8Array } {
  return { entries: [...entries], head }
}
