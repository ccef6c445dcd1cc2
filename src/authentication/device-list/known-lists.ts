import { secondsNow } from '../../platform/timing.js'
import { Inject, Injectable } from '@nestjs/common'
import { LRUCache } from 'lru-cache'
import { Pool } from 'pg'
import { POOL } from '../../platform/postgres/sql.js'
import { hashAt, lastNumber, type DeviceList } from '../../protocol/identity/device-list.js'
import { extendList } from '../../protocol/identity/list.js'
import { readEntries, readListState, type ListState } from './device-lists.repository.js'

/** Entries and keys of all lists that are kept, together. */
const MAX_KEPT = 50_000

/** A list as the entries of it say, and as its row says. */
export interface KnownList {
  readonly list: DeviceList
  readonly state: ListState
}

/**
 * What the entries of a list say together. That takes a signature for each, so it is kept, under the hash of the last entry: the hash
 * fixes all entries before, so what is kept never goes out of date.
 */
@Injectable()
export class KnownLists {
  private readonly kept = new LRUCache<string, DeviceList>({ maxSize: MAX_KEPT, sizeCalculation: sizeOf })

  private readonly reading = new Map<string, Promise<DeviceList>>()

  constructor(@Inject(POOL) private readonly pool: Pool) {}

  /** The list of an account; undefined if it has none. */
  async of(user: string, accountId: bigint): Promise<KnownList | undefined> {
    const state = await readListState(this.pool, accountId)
    if (state === undefined) return undefined
    const kept = this.kept.get(keyOf(state.hash))
    if (kept !== undefined) return { list: kept, state }
    // Who asks while it is read waits for the same reading.
    const reading = this.reading.get(keyOf(state.hash)) ?? this.read(user, accountId, state)
    return { list: await reading, state }
  }

  private read(user: string, accountId: bigint, { identity, number, hash }: ListState): Promise<DeviceList> {
    const reading = readEntries(this.pool, accountId, identity, 1, number)
      .then((entries) => extendList(user, undefined, entries, secondsNow()))
      .then((extended) => {
        if (extended.kind === 'broken') throw new Error(`A device list that was accepted breaks the rule ${extended.rule}`)
        this.keep(extended.value)
        return extended.value
      })
      .finally(() => this.reading.delete(keyOf(hash)))
    this.reading.set(keyOf(hash), reading)
    return reading
  }

  keep(list: DeviceList): void {
    this.kept.set(keyOf(lastHash(list)), list)
  }
}

function keyOf(hash: Uint8Array): string {
  return Buffer.from(hash).toString('base64')
}

function sizeOf({ hashes, keys }: DeviceList): number {
  return hashes.length + keys.size
}

/** The hash of the last entry. */
export function lastHash(list: DeviceList): Uint8Array {
  const hash = hashAt(list, lastNumber(list))
  if (hash === undefined) throw new Error('A device list has no entry')
  return hash
}
