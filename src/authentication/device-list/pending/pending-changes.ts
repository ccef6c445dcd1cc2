import { Inject, Injectable } from '@nestjs/common'
import { CONFIG, type Config } from '../../../platform/config/config.js'
import { Forbidden } from '../../../platform/http/problem.js'
import type { Sql } from '../../../platform/postgres/sql.js'
import { secondsNow } from '../../../platform/timing.js'
import { sameBytes } from '../../../protocol/bytes.js'
import { lastNumber, type DeviceList } from '../../../protocol/identity/device-list.js'
import { decodeEntry, type DeviceListEntry } from '../../../protocol/identity/entry.js'
import { InvalidDeviceList } from '../../authentication.problems.js'
import { tellDevices } from '../../devices/devices.repository.js'
import { lastHash } from '../known-lists.js'
import { ChangePending } from './pending-changes.problems.js'
import { deletePending, insertPending, readAges, readPending, type PendingChange } from './pending-changes.repository.js'
import { Seniority } from './seniority.js'
import { mayApprove, mayRefuse, mayReplace, signersThatWait } from './waiting-rules.js'

/** A change that was checked. */
interface Asked {
  readonly before: DeviceList
  readonly after: DeviceList
  readonly entries: readonly Uint8Array[]
  readonly head: Uint8Array
  readonly headExpiresAt: Date
  /** Number of the entry of a key that approves it. */
  readonly approvedBy: number | undefined
}

/** What became of a change. */
export interface Admission {
  /** It waits; undefined: it is to be written now. */
  readonly pending?: PendingChange
  /** Devices that have an item in their inboxes. */
  readonly told: readonly bigint[]
}

/** Which changes of a device list wait, so that others can refuse them (docs/identity.md §7). */
@Injectable()
export class PendingChanges {
  constructor(@Inject(CONFIG) private readonly config: Pick<Config, 'REVOCATION_DELAY'>) {}

  /**
   * Call it with the account's lock held, for a change that breaks no rule of the list.
   * @throws ChangePending while another one waits whose place this one may not take, Forbidden if who approves has no say
   */
  async admit(sql: Sql, accountId: bigint, asked: Asked): Promise<Admission> {
    const pending = await readPending(sql, accountId)
    const entries = asked.entries.flatMap(decoded)
    if (pending === undefined && entries.every(({ body }) => body.type !== 'revocation')) return { told: [] }
    const { before, after, approvedBy } = asked
    const ages = await readAges(sql, accountId, after.identity)
    const change = { after, entries, seniority: this.seniority(after, ages) }
    const signers = signersThatWait(change, pending?.signers)
    const voters = this.seniority(before, ages, pending)
    if (approvedBy !== undefined && !mayApprove(before, voters, approvedBy, signers))
      throw new Forbidden('This key has no say over the change.')
    const isSame = pending !== undefined && sameBytes(pending.hash, lastHash(after))
    if (isSame && approvedBy === undefined) return { pending, told: [] }
    const replaces = (former: PendingChange) =>
      approvedBy === undefined
        ? signers.length === 0 && mayReplace({ ...change, seniority: this.seniority(after, ages, former) }, former.signers)
        : mayRefuse(before, voters, approvedBy, former.signers)
    if (pending !== undefined && !isSame && !replaces(pending)) throw new ChangePending(pending)
    const told = pending === undefined ? [] : await drop(sql, accountId, pending, isSame)
    return signers.length === 0 || approvedBy !== undefined ? { told } : this.hold(sql, accountId, asked, signers)
  }

  /**
   * Who has a say over a list. @param ages see `readAges`
   * @param pending what waits: who was too young for a say when it was asked for gets none by waiting for as long as it does
   */
  seniority(list: DeviceList, ages: ReadonlyMap<number, Date>, pending?: Pick<PendingChange, 'effectiveAt'>): Seniority {
    const delay = this.config.REVOCATION_DELAY
    const at = Math.min(Date.now(), pending === undefined ? Infinity : pending.effectiveAt.getTime() - delay)
    return new Seniority(list, ages, new Date(at - delay), secondsNow())
  }

  private async hold(sql: Sql, accountId: bigint, { after, entries, head, headExpiresAt }: Asked, signers: number[]): Promise<Admission> {
    const delay = this.config.REVOCATION_DELAY
    // It is what others get when the change takes effect.
    if (headExpiresAt.getTime() <= Date.now() + delay) throw new InvalidDeviceList('head-validity')
    const change = { number: lastNumber(after), hash: lastHash(after), signers, entries, head }
    const effectiveAt = await insertPending(sql, accountId, change, delay)
    const payload = { effective_at: effectiveAt.getTime() / 1000 }
    return { pending: { ...change, effectiveAt }, told: await tellDevices(sql, accountId, { kind: 'device-list.pending', payload }) }
  }
}

/** Takes a change away for good, and says so unless it takes effect. Call it with the account's lock held. */
async function drop(sql: Sql, accountId: bigint, { hash, number }: PendingChange, takesEffect: boolean): Promise<readonly bigint[]> {
  await deletePending(sql, accountId, hash)
  return takesEffect ? [] : tellDevices(sql, accountId, { kind: 'device-list.dropped', payload: { number } })
}

function decoded(bytes: Uint8Array): DeviceListEntry[] {
  const entry = decodeEntry(bytes)
  return entry.kind === 'malformed' ? [] : [entry.value]
}
