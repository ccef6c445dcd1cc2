import { Injectable } from '@nestjs/common'
import { Limits } from '../../platform/limits/limits.js'
import type { Sql } from '../../platform/postgres/sql.js'
import { decodeEntry } from '../../protocol/identity/entry.js'
import { checkHead, type HeadContent } from '../../protocol/identity/head.js'
import { lastNumber, type DeviceList } from '../../protocol/identity/device-list.js'
import { extendList } from '../../protocol/identity/list.js'
import { DeviceListChanged, InvalidDeviceList } from '../authentication.problems.js'
import { markRevoked, tellDevices } from '../devices/devices.repository.js'
import type { DeviceListUpdate } from './device-list.dto.js'
import { certifyKeys, readCertifiable, readListState, writeListState, type ListState } from './device-lists.repository.js'
import { secondsNow } from '../../platform/timing.js'
import { KnownLists, lastHash, type KnownList } from './known-lists.js'
import { changeOfDevices, changeOfList } from './list-change.js'
import { PasskeyPolicy, type AnsweredChallenge } from '../passkeys/passkey-policy.js'
import { DailyCertificates } from './daily-certificates.js'
import { PendingChanges } from './pending/pending-changes.js'
import { deletePending, readPending, type PendingChange } from './pending/pending-changes.repository.js'
import type { Seniority } from './pending/seniority.js'
import { canonicalOf, dateOf, writeEntries } from './write-entries.js'

/** Row `device-list-changes` of docs/limits.md. */
const CHANGES = { name: 'device-list-changes', points: 60, seconds: 3_600, exact: true } as const

/** How far the clock of a signer may be off. */
const CLOCK_SECONDS = 300n

/** A change of a list that breaks no rule by itself. */
export interface PreparedChange {
  /** undefined: it begins an identity. */
  readonly before: DeviceList | undefined
  readonly after: DeviceList
  readonly entries: readonly Uint8Array[]
  readonly head: Uint8Array
  readonly dates: HeadDates
  /** What a passkey's attestation answered. */
  readonly answered: AnsweredChallenge | undefined
}

export interface HeadDates {
  readonly headIssuedAt: Date
  readonly headExpiresAt: Date
}

export interface WriteOptions {
  /** The device that the change certifies, with all of its keys. */
  readonly whole?: bigint | undefined
  /** The account's former identity, which has ended, had this state. */
  readonly former?: ListState | undefined
  /** Number of the entry of a key that approves it, and has proven that it does. */
  readonly approvedBy?: number | undefined
  /** It has waited, or what it waited for has come. */
  readonly waited?: boolean | undefined
}

/** What became of a change. */
export interface WrittenChange {
  /** Devices that it has revoked, as `markRevoked` returns them. */
  readonly revoked: readonly bigint[]
  /** Devices that have an item in their inboxes. */
  readonly told: readonly bigint[]
  /** Nothing is written: it waits. */
  readonly pending?: PendingChange
}

/** Changes of device lists: checked outside a transaction (signatures cost CPU), then written within one. */
@Injectable()
export class DeviceListChanges {
  constructor(
    private readonly known: KnownLists,
    private readonly limits: Limits,
    private readonly passkeys: PasskeyPolicy,
    private readonly pending: PendingChanges,
    private readonly daily: DailyCertificates,
  ) {}

  /**
   * Counts an attempt. Each device has a number of its own: a stolen one must not use up those with which it is revoked.
   * @param holder client URI; for a key of no device its user's URI, and only once the key has signed
   * @throws RateLimited
   */
  take(holder: string): Promise<void> {
    return this.limits.take(CHANGES, holder)
  }

  /** The same for heads, which do not count as changes. */
  takeHead(client: string): Promise<void> {
    return this.limits.take(CHANGES, `${client} head`)
  }

  /** The same for decisions on changes that wait. */
  takeDecision(client: string): Promise<void> {
    return this.limits.take(CHANGES, `${client} decision`)
  }

  /**
   * @param accountId undefined: entries have to begin an identity
   * @param client that sends them, if they may certify a passkey
   * @throws InvalidDeviceList, DeviceListChanged if the entries do not follow the last one
   */
  async prepare(user: string, accountId: bigint | undefined, update: DeviceListUpdate, client?: string): Promise<PreparedChange> {
    const change = await this.prepareWaiting(user, accountId, update, (after) => requireOwnTime(update.entries, after))
    const answered = await this.passkeys.admit(changeOfList(change.before, change.after).added, update.attestation, client)
    return { ...change, answered }
  }

  /** The same for entries that were taken before, when they were of now. @param more is asked of the entries before the head is looked at */
  async prepareWaiting(
    user: string,
    accountId: bigint | undefined,
    { entries, head }: DeviceListUpdate,
    more?: (after: DeviceList) => void,
  ): Promise<PreparedChange> {
    const known = accountId === undefined ? undefined : await this.known.of(user, accountId)
    const first = decodeEntry(entries[0] ?? new Uint8Array())
    if (first.kind === 'malformed') throw new InvalidDeviceList('entry-encoding')
    if (known !== undefined && first.value.number !== known.state.number + 1) throw new DeviceListChanged(known.state.number)
    const after = await extendList(user, known?.list, entries, secondsNow())
    if (after.kind === 'broken') throw new InvalidDeviceList(after.rule)
    more?.(after.value)
    const dates = await this.checkedHead(after.value, head)
    return { before: known?.list, after: after.value, entries, head, dates, answered: undefined }
  }

  /** The list of an account; undefined if it has none. */
  current(user: string, accountId: bigint): Promise<KnownList | undefined> {
    return this.known.of(user, accountId)
  }

  /** Who has a say over a change of a list that waits. @param ages see `readAges` */
  seniority(list: DeviceList, ages: ReadonlyMap<number, Date>, pending: PendingChange): Seniority {
    return this.pending.seniority(list, ages, pending)
  }

  /** A head of the list as it is. @throws InvalidDeviceList */
  async checkedHead(list: DeviceList, head: Uint8Array): Promise<HeadDates> {
    const checked = await checkHead(list, head, secondsNow())
    if (checked.kind === 'broken') throw new InvalidDeviceList(checked.rule)
    const { issuedAt, expiresAt }: HeadContent = checked.value
    if (issuedAt > secondsNow() + CLOCK_SECONDS || expiresAt <= secondsNow()) throw new InvalidDeviceList('head-validity')
    return { headIssuedAt: dateOf(issuedAt), headExpiresAt: dateOf(expiresAt) }
  }

  /**
   * Call it with the account's lock held, after new devices and keys have been inserted.
   * @throws DeviceListChanged if another change came first, ChangePending, InvalidDeviceList, RateLimited, TooLarge; Forbidden if who approves it has no say
   */
  async write(
    sql: Sql,
    accountId: bigint,
    change: PreparedChange,
    { whole, former, approvedBy, waited = false }: WriteOptions = {},
  ): Promise<WrittenChange> {
    const { before, after, dates, answered } = change
    if (answered !== undefined) await this.passkeys.spend(sql, answered)
    const state = await readListState(sql, accountId)
    // A head of other entries is not compared by its date: a thief may have dated the last one ahead.
    if (former === undefined) requireSame(before, state)
    const devices = await readCertifiable(sql, accountId)
    const plan = changeOfDevices(before, after, devices, whole)
    if (plan.kind === 'broken') throw new InvalidDeviceList(plan.rule)
    const admission = await this.admit(sql, accountId, change, { approvedBy, isDue: waited || former !== undefined })
    if (admission.pending !== undefined) return { ...admission, revoked: [] }
    await writeEntries(sql, accountId, change, devices)
    for (const { deviceId, number, ...keys } of plan.value.certified) await certifyKeys(sql, deviceId, number, keys)
    const identities = former === undefined ? (state?.identities ?? 1) : former.identities + 1
    const { identity } = after
    await writeListState(sql, accountId, {
      identity,
      number: lastNumber(after),
      hash: lastHash(after),
      head: change.head,
      identities,
      identityKey: canonicalOf(after.identityKey) ?? new Uint8Array(),
      ...dates,
    })
    this.known.keep(after)
    const revoked = await markRevoked(sql, accountId, plan.value.revoked)
    const notice = { kind: 'device-list.changed', payload: { number: lastNumber(after) } } as const
    return { revoked, told: [...admission.told, ...(await tellDevices(sql, accountId, notice, whole))] }
  }

  /** @param options `isDue`: it waits for nothing, and what waits goes with the identity that it is of */
  private async admit(
    sql: Sql,
    accountId: bigint,
    { before, after, entries, head, dates }: PreparedChange,
    { approvedBy, isDue }: { readonly approvedBy: number | undefined; readonly isDue: boolean },
  ): Promise<Pick<WrittenChange, 'told' | 'pending'>> {
    if (before !== undefined && !isDue) {
      await this.daily.requireLeft(sql, accountId, before, after)
      return this.pending.admit(sql, accountId, { before, after, entries, head, headExpiresAt: dates.headExpiresAt, approvedBy })
    }
    const pending = await readPending(sql, accountId)
    if (pending !== undefined) await deletePending(sql, accountId, pending.hash)
    return { told: [] }
  }
}

/** The change was prepared for the list that there is. */
function requireSame(before: DeviceList | undefined, state: ListState | undefined): void {
  const same = before === undefined ? state === undefined : isSameList(before, state)
  if (!same) throw new DeviceListChanged(state?.number ?? 0)
}

/** Whether a list is still the account's. */
export function isSameList(list: DeviceList, state: ListState | undefined): boolean {
  return state !== undefined && isSame(list.identity, state.identity) && isSame(lastHash(list), state.hash)
}

/** A renewal that is older than the head which clients have would be ignored by them (docs/identity.md §3). */
export function requireNewerHead(state: ListState | undefined, { headIssuedAt }: HeadDates): void {
  if (state !== undefined && headIssuedAt < state.headIssuedAt) throw new InvalidDeviceList('head-validity')
}

/** Entries are of now: neither kept back nor dated ahead. */
function requireOwnTime([bytes = new Uint8Array()]: readonly Uint8Array[], { time: last }: DeviceList): void {
  const first = decodeEntry(bytes)
  if (first.kind === 'malformed' || first.value.time < secondsNow() - CLOCK_SECONDS || last > secondsNow() + CLOCK_SECONDS)
    throw new InvalidDeviceList('entry-time')
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}
