import { Inject, Injectable } from '@nestjs/common'
import { z } from 'zod'
import { DEVICE_LIST_BYTES } from '../../authentication/device-list/write-entries.js'
import type { DeviceListPage, DeviceListQuery } from '../../authentication/device-list/device-list.dto.js'
import { DeviceLists } from '../../authentication/device-list/device-lists.js'
import type { Caller } from '../../authentication/session/caller.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Bytes } from '../../platform/http/bytes.js'
import { NotFound, Problem, RateLimited } from '../../platform/http/problem.js'
import { numberOf } from '../../platform/limits/described-limit.js'
import { Limits } from '../../platform/limits/limits.js'
import { secondsNow } from '../../platform/timing.js'
import { parseUserUri } from '../../protocol/identifiers.js'
import { MAX_ENTRY_BYTES } from '../../protocol/identity/entry.js'
import { checkHead } from '../../protocol/identity/head.js'
import { MAX_ENTRIES } from '../../protocol/identity/list.js'
import { readCbor } from '../../protocol/strict-cbor.js'
import { PeerBadResponse, peerProblem } from '../peer-problems.js'
import { UserLookups } from '../disclosure/user-lookups.js'
import { beginsWith, bytesOf, CHECKS_BY, CHECKS_OF, endsIn, ListCopies, type Payer } from './list-copies.js'
import type { CheckedCopy, ListCopy } from './foreign-device-lists.repository.js'

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

type Fetched = { readonly kind: 'list'; readonly list: CheckedCopy } | { readonly kind: 'away'; readonly problem: Problem }

/**
 * Device lists of users anywhere. That of another provider's user is asked for there and passed on as it is. What this server can see to be
 * wrong it does not pass on: clients verify everything themselves, but would have to tell their users.
 */
@Injectable()
export class ForeignDeviceLists {
  private readonly fetching = new Map<string, Promise<Fetched>>()
  private readonly waiting = new Map<string, Promise<Fetched>>()

  constructor(
    private readonly copies: ListCopies,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly own: DeviceLists,
    private readonly lookups: UserLookups,
    private readonly limits: Limits,
  ) {}

  /** @throws NotFound without a list, RateLimited, and what `peerProblem` makes of a provider that gives none and has given none before */
  async read(caller: Caller, query: DeviceListQuery): Promise<DeviceListPage> {
    const { user, from, group } = query
    if (parseUserUri(user)?.domain === this.config.DOMAIN) return this.own.read(query)
    await this.limits.take(PER_USER, caller.user)
    const { identities, entries, head } = await this.newest(
      user,
      { limit: CHECKS_BY, key: caller.user },
      await this.lookups.bodyFor(caller, group),
    )
    return { user, identities, number: entries.length, entries: entries.slice(from - 1), head }
  }

  /**
   * Asks a user's provider now, as a device or an entry of the user is not known yet. A list that is on its way may be from before: who comes
   * meanwhile waits for the next one, all for the same.
   * @returns undefined of a provider that gives no list, or none that is right: what is kept stays @throws RateLimited
   */
  async ask(user: string): Promise<CheckedCopy | undefined> {
    try {
      const fetched = await (this.waiting.get(user) ?? this.next(user))
      return fetched.kind === 'list' ? fetched.list : undefined
    } catch (error) {
      if (error instanceof Problem && !(error instanceof RateLimited)) return undefined
      throw error
    }
  }

  /** Keeps a list that `ask` has brought, of a user whose device may be about to join. Call it after the device was recorded. */
  want(user: string, copy: CheckedCopy): Promise<void> {
    return this.copies.keep(user, copy, true)
  }

  private async newest(user: string, payer: Payer, body: Uint8Array): Promise<ListCopy> {
    const copy = await this.copies.read(user)
    if (copy !== undefined && copy.ageMs < FRESH_MS) return copy
    const begun = this.fetching.get(user)
    // What another one has begun may end at that one's limit, or without the group that this one shows.
    const fetched = await (begun?.catch(unlessOfOther) ?? this.fetch(user, payer, body))
    if (fetched === undefined) return this.newest(user, payer, body)
    if (fetched.kind === 'list') return fetched.list
    if (copy !== undefined) return copy
    throw fetched.problem
  }

  private next(user: string): Promise<Fetched> {
    const payer = { limit: CHECKS_OF, key: domainOf(user) }
    const begun = this.fetching.get(user)
    if (begun === undefined) return this.fetch(user, payer)
    const fetch = () => {
      this.waiting.delete(user)
      return this.fetching.get(user) ?? this.fetch(user, payer)
    }
    const next = begun.then(fetch, fetch)
    this.waiting.set(user, next)
    return next
  }

  /** One at a time for a user: each continues from what the one before has checked. */
  private fetch(user: string, payer: Payer, body?: Uint8Array): Promise<Fetched> {
    const begun = this.fetchList(user, payer, body).finally(() => this.fetching.delete(user))
    this.fetching.set(user, begun)
    return begun
  }

  private async fetchList(user: string, payer: Payer, body?: Uint8Array): Promise<Fetched> {
    const answer = await this.lookups.deviceList(user, body)
    if (answer.kind === 'answered' && answer.status === 200) {
      const list = await this.accepted(user, answer.body, payer)
      await this.copies.keep(user, list, false)
      return { kind: 'list', list }
    }
    if (answer.kind === 'no-endpoint') throw new NotFound('The user’s provider has no device lists.')
    const problem = peerProblem(answer)
    if (answer.kind === 'answered' || answer.kind === 'denied') throw problem
    return { kind: 'away', problem }
  }

  /** What a provider answered, if it continues the copy. @throws PeerBadResponse, RateLimited */
  private async accepted(user: string, body: Uint8Array, payer: Payer): Promise<CheckedCopy> {
    const parsed = Answer.safeParse(readCbor(body))
    if (!parsed.success || parsed.data.user !== user) throw new PeerBadResponse()
    const { entries, head, identities } = parsed.data
    if (bytesOf(entries) > numberOf(DEVICE_LIST_BYTES)) throw new PeerBadResponse()
    const copy = await this.copies.read(user)
    const list = await this.copies.check(user, entries, copy, payer)
    if (list.kind === 'broken' || (await checkHead(list.value, head, secondsNow())).kind === 'broken') throw new PeerBadResponse()
    const checked = { identity: list.value.identity, identities, entries, head, ends: endsIn(list.value) }
    if (copy !== undefined && !continues(copy, checked)) throw new PeerBadResponse()
    return checked
  }
}

function domainOf(user: string): string {
  return parseUserUri(user)?.domain ?? ''
}

function unlessOfOther(error: unknown): undefined {
  if (!(error instanceof RateLimited || (error instanceof Problem && error.status === 404))) throw error
}

/** Whether a list is the same or a longer one of the same identity, or one of a later identity. */
function continues(copy: ListCopy, list: ListCopy): boolean {
  if (Buffer.compare(copy.identity, list.identity) !== 0) return list.identities > copy.identities
  return list.identities >= copy.identities && beginsWith(list.entries, copy.entries)
}
