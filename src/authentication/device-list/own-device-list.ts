import { Inject, Injectable } from '@nestjs/common'
import { Pool } from 'pg'
import { NotFound } from '../../platform/http/problem.js'
import { Events } from '../../platform/observability/events.js'
import { POOL, transaction } from '../../platform/postgres/sql.js'
import { sameBytes } from '../../protocol/bytes.js'
import { certificateOf, lastNumber } from '../../protocol/identity/device-list.js'
import { checkHead } from '../../protocol/identity/head.js'
import { deviceListChanged, deviceListChangeHeld } from '../authentication.events.js'
import { DeviceListChanged } from '../authentication.problems.js'
import { holdAccount } from '../devices/hold-account.js'
import { Revocations } from '../devices/revocations.js'
import type { Caller } from '../session/caller.js'
import type { PresentedProof } from '../step-up/step-up-header.js'
import { StepUp, type ProvenStepUp } from '../step-up/step-up.js'
import { DeviceListChanges, isSameList, requireNewerHead, type PreparedChange } from './device-list-changes.js'
import type { DeviceListState, DeviceListUpdate, HeadRenewal } from './device-list.dto.js'
import { readListState, writeHead } from './device-lists.repository.js'
import { secondsNow } from '../../platform/timing.js'
import { lastHash, type KnownList } from './known-lists.js'
import { ChangePending } from './pending/pending-changes.problems.js'
import { readPending, type PendingChange } from './pending/pending-changes.repository.js'

/** The device list of the caller's account. */
@Injectable()
export class OwnDeviceList {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly changes: DeviceListChanges,
    private readonly stepUp: StepUp,
    private readonly revocations: Revocations,
    private readonly events: Events,
  ) {}

  /**
   * Appends entries to the caller's own list; what they revoke ends with them. Without a list they begin one, which needs a fresh proof by a
   * key of the caller's device; it certifies this device, and others stay as they are (docs/identity.md §10).
   * @param proof to begin a list, or another key's approval of a change that would wait
   */
  async append(caller: Caller, update: DeviceListUpdate, proof: PresentedProof | undefined): Promise<DeviceListState> {
    await this.changes.take(caller.client)
    const pending = proof === undefined ? await readPending(this.pool, caller.userId) : undefined
    // Its times and its passkey's attestation were looked at when it came.
    if (pending !== undefined && isSameUpdate(pending, update)) return stateOf(pending)
    const change = await this.changes.prepare(caller.user, caller.userId, update, caller.client)
    const permitted = await this.proven(caller, change, proof)
    const { revoked, pending: held } = await this.revocations.revoke(async (sql) => {
      if (permitted === undefined) await holdAccount(sql, caller)
      else await this.stepUp.spend(sql, caller, permitted)
      if (change.before === undefined) return this.changes.write(sql, caller.userId, change, { whole: caller.deviceId })
      const approvedBy = permitted && (permitted.listed?.number ?? certificateOf(change.before, caller.client)?.number)
      return this.changes.write(sql, caller.userId, change, { approvedBy })
    })
    if (held !== undefined) deviceListChangeHeld(this.events)
    else deviceListChanged(this.events, { entries: update.entries.length, revoked: revoked.length })
    return held === undefined ? { number: lastNumber(change.after) } : stateOf(held)
  }

  private async proven(
    caller: Caller,
    { before, after }: PreparedChange,
    proof: PresentedProof | undefined,
  ): Promise<ProvenStepUp | undefined> {
    if (before === undefined) return this.stepUp.prove(caller, 'begin-identity', lastHash(after), proof)
    return proof && this.stepUp.prove(caller, 'approve-change', lastHash(after), proof)
  }

  /** A newer head of the same list. Repeating it changes nothing. */
  async renew(caller: Caller, { head }: HeadRenewal): Promise<DeviceListState> {
    await this.changes.takeHead(caller.client)
    const { list } = await this.ownList(caller)
    // A head of another entry is what a device signs that has missed a change.
    const checked = await checkHead(list, head, secondsNow())
    if (checked.kind === 'broken' && checked.rule === 'head-entry') throw new DeviceListChanged(lastNumber(list))
    const dates = await this.changes.checkedHead(list, head)
    await transaction(this.pool, async (sql) => {
      await holdAccount(sql, caller)
      const state = await readListState(sql, caller.userId)
      if (!isSameList(list, state)) throw new DeviceListChanged(state?.number ?? 0)
      const pending = await readPending(sql, caller.userId)
      if (pending !== undefined) throw new ChangePending(pending)
      requireNewerHead(state, dates)
      await writeHead(sql, caller.userId, { head, ...dates })
    })
    return { number: lastNumber(list) }
  }

  private async ownList({ user, userId }: Caller): Promise<KnownList> {
    const known = await this.changes.current(user, userId)
    if (known === undefined) throw new NotFound('This account has no device list.')
    return known
  }
}

function stateOf({ number, effectiveAt }: PendingChange): DeviceListState {
  return { number, effective_at: effectiveAt }
}

/** Byte for byte. */
function isSameUpdate(pending: PendingChange, { entries, head }: DeviceListUpdate): boolean {
  const [waiting, asked] = [
    [...pending.entries, pending.head],
    [...entries, head],
  ]
  return waiting.length === asked.length && waiting.every((bytes, index) => sameBytes(bytes, asked[index] ?? new Uint8Array()))
}
