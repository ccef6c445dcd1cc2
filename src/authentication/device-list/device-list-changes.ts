import { Injectable } from '@nestjs/common'
import { TooLarge } from '../../platform/http/problem.js'
import { numberOf, type DescribedLimit } from '../../platform/limits/described-limit.js'
import { Limits } from '../../platform/limits/limits.js'
import type { Sql } from '../../platform/postgres/sql.js'
import { decodeEntry, type DeviceListEntry, type ListKey } from '../../protocol/identity/entry.js'
import { checkHead, type HeadContent } from '../../protocol/identity/head.js'
import { isRecoverySigner, lastNumber, type Certified, type DeviceList } from '../../protocol/identity/device-list.js'
import { extendList } from '../../protocol/identity/list.js'
import { canonicalKey } from '../../protocol/signature-key.js'
import { DeviceListChanged, InvalidDeviceList } from '../authentication.problems.js'
import { markRevoked } from '../devices/devices.repository.js'
import type { DeviceListUpdate } from './device-list.dto.js'
import {
  bytesOfList,
  certifyKeys,
  endCertificates,
  insertCertificates,
  insertEntries,
  readCertifiable,
  readListState,
  writeListState,
  type CertifiableDevice,
  type ListState,
  type WrittenCertificate,
  type WrittenEnd,
} from './device-lists.repository.js'
import { secondsNow } from '../../platform/timing.js'
import { KnownLists, lastHash, type KnownList } from './known-lists.js'
import { changeOfDevices, changeOfList } from './list-change.js'
import { PasskeyPolicy, type AnsweredChallenge } from '../passkeys/passkey-policy.js'

/** Row of docs/limits.md. */
export const DEVICE_LIST_BYTES = {
  name: 'device-list-bytes',
  holder: 'account',
  what: 'bytes of all entries of a device list; certificates fill three quarters of it, those by recovery signers seven eighths',
  value: 1_048_576,
  refusal: '413',
} as const satisfies DescribedLimit

/** Row `device-list-changes` of docs/limits.md. */
const CHANGES = { name: 'device-list-changes', points: 60, seconds: 3_600, exact: true } as const

/** How far the clock of a signer may be off. */
const CLOCK_SECONDS = 300n
/** The end of the year 9999: what PostgreSQL and Date can both hold. */
const LAST_SECOND = 253_402_300_799n

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
}

/** Changes of device lists: checked outside a transaction (signatures cost CPU), then written within one. */
@Injectable()
export class DeviceListChanges {
  constructor(
    private readonly known: KnownLists,
    private readonly limits: Limits,
    private readonly passkeys: PasskeyPolicy,
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

  /**
   * @param accountId undefined: entries have to begin an identity
   * @param client that sends them, if they may certify a passkey
   * @throws InvalidDeviceList, DeviceListChanged if the entries do not follow the last one
   */
  async prepare(user: string, accountId: bigint | undefined, update: DeviceListUpdate, client?: string): Promise<PreparedChange> {
    const { entries, head, attestation } = update
    const known = accountId === undefined ? undefined : await this.known.of(user, accountId)
    const first = decodeEntry(entries[0] ?? new Uint8Array())
    if (first.kind === 'malformed') throw new InvalidDeviceList('entry-encoding')
    if (known !== undefined && first.value.number !== known.state.number + 1) throw new DeviceListChanged(known.state.number)
    const after = await extendList(user, known?.list, entries, secondsNow())
    if (after.kind === 'broken') throw new InvalidDeviceList(after.rule)
    requireOwnTime(first.value, after.value)
    const dates = await this.checkedHead(after.value, head)
    const answered = await this.passkeys.admit(changeOfList(known?.list, after.value).added, attestation, client)
    return { before: known?.list, after: after.value, entries, head, dates, answered }
  }

  /** The list of an account; undefined if it has none. */
  current(user: string, accountId: bigint): Promise<KnownList | undefined> {
    return this.known.of(user, accountId)
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
   * @returns devices that it has revoked, as `markRevoked` does
   * @throws DeviceListChanged if another change came first, InvalidDeviceList, TooLarge
   */
  async write(sql: Sql, accountId: bigint, change: PreparedChange, { whole, former }: WriteOptions = {}): Promise<bigint[]> {
    const { before, after, dates, answered } = change
    if (answered !== undefined) await this.passkeys.spend(sql, answered)
    const state = await readListState(sql, accountId)
    // A head of other entries is not compared by its date: a thief may have dated the last one ahead.
    if (former === undefined) requireSame(before, state)
    const devices = await readCertifiable(sql, accountId)
    const plan = changeOfDevices(before, after, devices, whole)
    if (plan.kind === 'broken') throw new InvalidDeviceList(plan.rule)
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
    return markRevoked(sql, accountId, plan.value.revoked)
  }
}

async function writeEntries(
  sql: Sql,
  accountId: bigint,
  { before, after, entries }: PreparedChange,
  devices: readonly CertifiableDevice[],
): Promise<void> {
  const known = before === undefined ? 0 : lastNumber(before)
  const { added, ended } = changeOfList(before, after)
  const numbered = entries.map((bytes, index) => ({ number: known + 1 + index, bytes }))
  // Only an identity that the account had before could have them.
  if (!(await insertEntries(sql, accountId, after.identity, numbered))) throw new DeviceListChanged(known)
  await requireRoom(sql, accountId, after, added)
  const ids = new Map(devices.map(({ client, deviceId }) => [client, deviceId]))
  await insertCertificates(
    sql,
    accountId,
    after.identity,
    added.map((certificate) => writtenCertificate(certificate, ids)),
  )
  await endCertificates(sql, accountId, after.identity, ended.flatMap(writtenEnd))
}

/** Of the bytes, too, a part is kept for recovery signers, and one for revocations, as docs/identity.md §2 says. @throws TooLarge */
async function requireRoom(sql: Sql, accountId: bigint, list: DeviceList, added: readonly Certified[]): Promise<void> {
  const limit = numberOf(DEVICE_LIST_BYTES)
  const byRecovery = added.every(({ signer, certifiedAt }) => isRecoverySigner(list, signer, certifiedAt))
  const eighths = added.length === 0 ? 8 : byRecovery ? 7 : 6
  if ((await bytesOfList(sql, accountId, list.identity)) > (limit * eighths) / 8)
    throw new TooLarge('The device list has become too large.', limit)
}

function writtenCertificate({ subject, ...certificate }: Certified, ids: ReadonlyMap<string, bigint>): WrittenCertificate {
  const { number, signer, kind, rights, notBefore, notAfter, keys } = certificate
  const deviceId = kind === 'device' ? ids.get(subject) : undefined
  const holderKey = kind === 'device' ? undefined : canonicalOf(keys[0])
  const rpId = kind === 'passkey' ? subject : undefined
  return { number, signer, kind, rights, deviceId, notBefore: dateOf(notBefore), notAfter: dateOf(notAfter), holderKey, rpId }
}

function canonicalOf(key: ListKey | undefined): Uint8Array | undefined {
  return key && canonicalKey(key.publicKey)?.publicKey
}

function writtenEnd({ number, end }: Certified): WrittenEnd[] {
  return end === undefined ? [] : [{ number, ended: end.number, endedAt: dateOf(end.time), replaced: end.by === 'replacement' }]
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
function requireOwnTime(first: DeviceListEntry, { time: last }: DeviceList): void {
  if (first.time < secondsNow() - CLOCK_SECONDS || last > secondsNow() + CLOCK_SECONDS) throw new InvalidDeviceList('entry-time')
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}

function dateOf(seconds: bigint): Date {
  return new Date(Number(seconds < LAST_SECOND ? seconds : LAST_SECOND) * 1000)
}
