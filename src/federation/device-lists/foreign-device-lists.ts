import { Inject, Injectable } from '@nestjs/common'
import { LRUCache } from 'lru-cache'
import type { Pool } from 'pg'
import { z } from 'zod'
import { DEVICE_LIST_BYTES } from '../../authentication/device-list/write-entries.js'
import type { DeviceListPage, DeviceListQuery } from '../../authentication/device-list/device-list.dto.js'
import { secondsNow } from '../../platform/timing.js'
import { DeviceLists } from '../../authentication/device-list/device-lists.js'
import type { Caller } from '../../authentication/session/caller.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Bytes } from '../../platform/http/bytes.js'
import { NotFound, Problem } from '../../platform/http/problem.js'
import { numberOf } from '../../platform/limits/described-limit.js'
import { Limits } from '../../platform/limits/limits.js'
import { POOL, transaction } from '../../platform/postgres/sql.js'
import { sameBytes } from '../../protocol/bytes.js'
import { lastNumber, type DeviceList } from '../../protocol/identity/device-list.js'
import type { Checked } from '../../protocol/identity/rules.js'
import { sha256 } from '../../protocol/sha256.js'
import { parseUserUri } from '../../protocol/identifiers.js'
import { MAX_ENTRY_BYTES } from '../../protocol/identity/entry.js'
import { checkHead } from '../../protocol/identity/head.js'
import { extendList, MAX_ENTRIES } from '../../protocol/identity/list.js'
import { readCbor } from '../../protocol/strict-cbor.js'
import { PeerBadResponse, peerProblem } from '../peer-problems.js'
import { SignedClient } from '../outbound/signed-client.js'
import { readCopy, writeCopy, type ListCopy } from './foreign-device-lists.repository.js'

/** Row of docs/limits.md. */
const PER_USER = { name: 'device-lists-elsewhere', points: 600, seconds: 60 }
/** Of many devices that ask for one user at the same time, one makes this server ask. */
const FRESH_MS = 2_000

const Answer = z.object({
  user: z.string(),
  identities: z.number().int().min(1),
  entries: z.array(Bytes(MAX_ENTRY_BYTES)).min(1).max(MAX_ENTRIES),
  head: Bytes(MAX_ENTRY_BYTES),
})

/** Entries and keys of all lists whose reading is kept, together. */
const MAX_KEPT = 20_000

/** Copies of the lists of other providers' users, and what the copies say: of a list that grows only the new entries are checked. */
@Injectable()
export class ListCopies {
  private readonly kept = new LRUCache<string, DeviceList>({
    maxSize: MAX_KEPT,
    sizeCalculation: ({ hashes, keys }) => hashes.length + keys.size,
  })

  constructor(@Inject(POOL) private readonly pool: Pool) {}

  /** With its age. */
  read(user: string): Promise<(ListCopy & { ageMs: number }) | undefined> {
    return readCopy(this.pool, user)
  }

  write(user: string, list: ListCopy): Promise<void> {
    return transaction(this.pool, (sql) => writeCopy(sql, user, list))
  }

  /** Checks a list. @param copy what was checked before, if there is one */
  async check(user: string, entries: readonly Uint8Array[], copy: ListCopy | undefined): Promise<Checked<DeviceList>> {
    const before = copy !== undefined && beginsWith(entries, copy.entries) ? this.kept.get(keyOf(copy.entries)) : undefined
    const list = await extendList(user, before, before === undefined ? entries : entries.slice(lastNumber(before)), secondsNow())
    if (list.kind === 'valid') this.kept.set(keyOf(entries), list.value)
    return list
  }
}

/** Of whole entries with their signatures: the hash chain leaves those out. */
function keyOf(entries: readonly Uint8Array[]): string {
  return sha256(...entries.map((entry) => sha256(entry))).toString('base64')
}

function beginsWith(entries: readonly Uint8Array[], first: readonly Uint8Array[]): boolean {
  return first.length <= entries.length && first.every((entry, index) => sameBytes(entry, entries[index] ?? new Uint8Array()))
}

/**
 * Device lists of users anywhere. That of another provider's user is asked for there and passed on as it is. What this server can see to be
 * wrong it does not pass on: clients verify everything themselves, but would have to tell their users.
 */
@Injectable()
export class ForeignDeviceLists {
  private readonly fetching = new Map<string, Promise<ListCopy>>()

  constructor(
    private readonly copies: ListCopies,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly own: DeviceLists,
    private readonly client: SignedClient,
    private readonly limits: Limits,
  ) {}

  /** @throws NotFound without a list, RateLimited, and what `peerProblem` makes of a provider that gives none and has given none before */
  async read(caller: Caller, query: DeviceListQuery): Promise<DeviceListPage> {
    const { user, from } = query
    if (parseUserUri(user)?.domain === this.config.DOMAIN) return this.own.read(query)
    await this.limits.take(PER_USER, caller.user)
    const { identities, entries, head } = await this.newest(user)
    return { user, identities, number: entries.length, entries: entries.slice(from - 1), head }
  }

  /** Asks a user's provider now, as a device of the user is not known yet. One that gives no list, or none that is right, changes nothing. */
  async refresh(user: string): Promise<void> {
    const copy = await this.copies.read(user)
    try {
      await this.fetch(user, copy)
    } catch (error) {
      if (!(error instanceof Problem)) throw error
    }
  }

  private async newest(user: string): Promise<ListCopy> {
    const copy = await this.copies.read(user)
    if (copy !== undefined && copy.ageMs < FRESH_MS) return copy
    const begun = this.fetching.get(user) ?? this.fetch(user, copy).finally(() => this.fetching.delete(user))
    this.fetching.set(user, begun)
    return begun
  }

  private async fetch(user: string, copy: ListCopy | undefined): Promise<ListCopy> {
    const peer = parseUserUri(user)?.domain ?? ''
    const answer = await this.client.send({ peer, endpoint: 'deviceList', argument: user, body: new Uint8Array() })
    if (answer.kind === 'answered' && answer.status === 200) {
      const list = await this.accepted(user, answer.body, copy)
      if (list !== copy) await this.copies.write(user, list)
      return list
    }
    if (answer.kind === 'no-endpoint') throw new NotFound('The user’s provider has no device lists.')
    const isAway = answer.kind !== 'answered' && answer.kind !== 'denied'
    if (isAway && copy !== undefined) return copy
    throw peerProblem(answer)
  }

  /** What a provider answered, if it continues the copy. @throws PeerBadResponse */
  private async accepted(user: string, body: Uint8Array, copy: ListCopy | undefined): Promise<ListCopy> {
    const parsed = Answer.safeParse(readCbor(body))
    if (!parsed.success || parsed.data.user !== user) throw new PeerBadResponse()
    const { entries, head, identities } = parsed.data
    const limit = numberOf(DEVICE_LIST_BYTES)
    if (entries.reduce((sum, { length }) => sum + length, 0) > limit) throw new PeerBadResponse()
    const list = await this.copies.check(user, entries, copy)
    if (list.kind === 'broken' || (await checkHead(list.value, head, secondsNow())).kind === 'broken') throw new PeerBadResponse()
    const { identity } = list.value
    if (copy !== undefined && !continues(copy, { identity, identities, entries, head })) throw new PeerBadResponse()
    return { identity, identities, entries, head }
  }
}

/** Whether a list is the same or a longer one of the same identity, or one of a later identity. */
function continues(copy: ListCopy, list: ListCopy): boolean {
  if (Buffer.compare(copy.identity, list.identity) !== 0) return list.identities > copy.identities
  return list.identities >= copy.identities && beginsWith(list.entries, copy.entries)
}
