import { Inject, Injectable } from '@nestjs/common'
import { LRUCache } from 'lru-cache'
import type { Pool } from 'pg'
import { purgeJob, deleteInBatches } from '../../platform/jobs/purge.js'
import { numberOf, type DescribedLimit } from '../../platform/limits/described-limit.js'
import { Limits, type Limit } from '../../platform/limits/limits.js'
import { Metrics } from '../../platform/observability/metrics.js'
import { POOL } from '../../platform/postgres/sql.js'
import { secondsNow } from '../../platform/timing.js'
import { sameBytes } from '../../protocol/bytes.js'
import { lastNumber, type DeviceList } from '../../protocol/identity/device-list.js'
import { decodeEntry } from '../../protocol/identity/entry.js'
import { extendList } from '../../protocol/identity/list.js'
import type { Checked } from '../../protocol/identity/rules.js'
import { sha256 } from '../../protocol/sha256.js'
import { dropUnwantedCopies, readCopy, renewCopy, storeCopy, type CheckedCopy, type ListCopy } from './foreign-device-lists.repository.js'

/** Rows of docs/limits.md. */
export const FOREIGN_LIST_BYTES = {
  name: 'foreign-device-list-bytes',
  holder: 'peer',
  what: 'bytes of the device lists of its users that are kept in the database',
  value: 1_073_741_824,
  refusal: 'lists are read and not kept: no leaf that names one comes into a public group',
} as const satisfies DescribedLimit
/** Signatures that are checked for a look-up, and so that a device of the user may join. The longest list has some 10,000, and counts as all that is left. */
export const CHECKS_BY = { name: 'device-list-checks-by', points: 2_000, seconds: 60 } as const
export const CHECKS_OF = { name: 'device-list-checks-of', points: 12_000, seconds: 60 } as const

/** Whose limit the signatures count for: an account's or a provider's. */
export interface Payer {
  readonly limit: Limit
  readonly key: string
}

/** Bytes of all lists whose reading is kept, together, and of all that only pass through. */
const MEMORY_BYTES = 32 * 2 ** 20
const HOUR_MS = 3_600_000
const ROWS = 200

/** A copy with its age. */
export type AgedCopy = ListCopy & { readonly ageMs: number }

/**
 * Copies of the lists of other providers' users, and what the copies say: of a list that grows only the new entries are checked. Lists of users who
 * have a device in a group here, or are about to have one, are in the database; those of others only pass through, and are in memory for an hour.
 */
@Injectable()
export class ListCopies {
  /** By `keyOf`: the key fixes all bytes, so what is kept never goes out of date. */
  private readonly readings = new LRUCache<string, { list: DeviceList; bytes: number }>({
    maxSize: MEMORY_BYTES,
    sizeCalculation: ({ bytes }) => bytes,
    ttl: 24 * HOUR_MS,
  })
  private readonly passing = new LRUCache<string, { copy: ListCopy; at: number }>({
    maxSize: MEMORY_BYTES,
    sizeCalculation: ({ copy }) => bytesOf(copy.entries),
  })
  private readonly checked

  /** Milliseconds; a test has a clock of its own. */
  now = (): number => performance.now()

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly limits: Limits,
    private readonly metrics: Metrics,
  ) {
    const help = 'Entries of other providers’ device lists whose signatures were checked'
    this.checked = metrics.counter('foreign_device_list_entries_checked_total', help)
  }

  async read(user: string): Promise<AgedCopy | undefined> {
    const stored = await readCopy(this.pool, user)
    if (stored !== undefined) return stored
    const passing = this.passing.peek(user)
    const ageMs = passing === undefined ? 0 : this.now() - passing.at
    return passing !== undefined && ageMs < HOUR_MS ? { ...passing.copy, ageMs } : undefined
  }

  /**
   * Keeps what was checked: in the database if the user's list is there, or is wanted there, and there is room for it; otherwise in memory.
   * @param wanted a device of the user, which is recorded, may be about to join a group here
   */
  async keep(user: string, copy: CheckedCopy, wanted: boolean): Promise<void> {
    const mostBytes = numberOf(FOREIGN_LIST_BYTES)
    const stored = (await renewCopy(this.pool, user, copy, wanted)) || (await storeCopy(this.pool, user, copy, { wanted, mostBytes }))
    if (stored) this.passing.delete(user)
    else this.pass(user, copy)
    if (wanted && !stored) this.metrics.limitsRefused.inc({ limit: FOREIGN_LIST_BYTES.name })
  }

  /**
   * Checks the entries of a list that a provider gave.
   * @param copy what was checked before, if there is one @throws RateLimited
   */
  async check(
    user: string,
    entries: readonly Uint8Array[],
    copy: ListCopy | undefined,
    { limit, key }: Payer,
  ): Promise<Checked<DeviceList>> {
    const before = copy !== undefined && beginsWith(entries, copy.entries) ? this.readings.get(keyOf(copy.entries))?.list : undefined
    const added = before === undefined ? entries : entries.slice(lastNumber(before))
    if (added.length > 0) {
      const allowed = numberOf({ name: limit.name, value: limit.points })
      await this.limits.take(limit, key, Math.min(signaturesIn(added), allowed))
      this.checked.inc(added.length)
    }
    const list = await extendList(user, before, added, secondsNow())
    if (list.kind === 'valid') this.readings.set(keyOf(entries), { list: list.value, bytes: bytesOf(entries) })
    return list
  }

  private pass(user: string, copy: ListCopy): void {
    const at = this.now()
    // In the order in which they came: nothing else moves them.
    for (const other of [...this.passing.rkeys()]) {
      if (at - (this.passing.peek(other)?.at ?? 0) < HOUR_MS) break
      this.passing.delete(other)
    }
    this.passing.set(user, { copy, at })
  }
}

/** Of users who are in no group here any more. */
export const dropUnwanted = purgeJob({
  name: 'federation.device_lists_v1',
  everyMs: HOUR_MS,
  deletions: [(sql) => deleteInBatches(ROWS, () => dropUnwantedCopies(sql, ROWS))],
  needed: ({ FEDERATION }) => FEDERATION !== 'off',
})

/** Of a checked list: see `CheckedCopy`. */
export function endsIn({ hashes, certificates }: DeviceList): (number | null)[] {
  return hashes.map((_, index) => certificates.get(index + 1)?.end?.number ?? null)
}

export function beginsWith(entries: readonly Uint8Array[], first: readonly Uint8Array[]): boolean {
  return first.length <= entries.length && first.every((entry, index) => sameBytes(entry, entries[index] ?? new Uint8Array()))
}

/** Of whole entries with their signatures: the hash chain leaves those out. */
function keyOf(entries: readonly Uint8Array[]): string {
  return sha256(...entries.map((entry) => sha256(entry))).toString('base64')
}

export function bytesOf(entries: readonly Uint8Array[]): number {
  return entries.reduce((sum, { length }) => sum + length, 0)
}

/** How many signatures it may take to check entries: each has its own, and one for each key. */
function signaturesIn(entries: readonly Uint8Array[]): number {
  return entries.reduce((sum, bytes) => {
    const entry = decodeEntry(bytes)
    const keys = entry.kind === 'decoded' && entry.value.body.type === 'certificate' ? entry.value.body.certificate.keys.length : 0
    return sum + 1 + keys
  }, 0)
}
