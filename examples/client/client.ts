import { beginOnServer, type GroupAfter } from './beginning.js'
import { Device, newDevice } from './device.js'
import type { Entry } from './entries.js'
import { Group } from './group.js'
import { Http, isTransient, ServerProblem, type Encoding } from './http.js'
import { noteOfGroup } from './group-notices.js'
import { noteVanished, type VanishedFrom } from './vanished.js'
import { tryToCleanse } from './identity/group-check.js'
import { actOnNotice, type IdentityEvent } from './identity/notices.js'
import { createOnServer, joinByWelcome, joinExternally, type ExternalJoin, type NewGroup, type WelcomeItem } from './joining.js'
import { Store, type GroupRecord } from './store.js'
import { Stream, type InboxItem, type Position } from './stream.js'
import { toHex } from './wire.js'

export interface ClientOptions {
  baseUrl: string
  domain: string
  /** Local parts: `alice` and `phone` make `mimi://<domain>/d/alice/phone`. */
  user: string
  device: string
  suites?: readonly number[]
  encoding?: Encoding
  /** See `HttpOptions.retries`. */
  retries?: number
  /** false: a client of the old kind, which has no identity key and believes the server. */
  identity?: boolean
  /** Seconds since 1970. */
  now?: () => number
}

interface Events {
  inbox: InboxItem[]
  entries: Entry[]
  more: boolean
}

/** One device of one user: keys, groups and the way to the server. Everything it knows is in `store`. */
export class Client {
  readonly groups = new Map<string, Group>()
  /** All that came to the inbox. */
  readonly notices: InboxItem[] = []
  readonly vanished: VanishedFrom[] = []
  /** What an application shows its user, and asks what is to be done. */
  readonly identityEvents: IdentityEvent[] = []
  /** Groups as they were when this device was out of them, before it joined again. */
  readonly former: GroupRecord[] = []
  readonly lostWelcomes: { seq: number; reason: string }[] = []
  #watchers = new Set<() => void>()
  /** How often the stream has caught up with the server. */
  lives = 0

  constructor(
    readonly device: Device,
    readonly store: Store,
  ) {
    for (const record of store.groups.values()) this.#adopt(record.groupId)
  }

  /** A device with fresh keys that the server does not know yet. */
  static async create(options: ClientOptions): Promise<Client> {
    const user = `mimi://${options.domain}/u/${options.user}`
    const { baseUrl, encoding = 'cbor', retries = 8, identity = true, now } = options
    const client = `mimi://${options.domain}/d/${options.user}/${options.device}`
    const record = await newDevice(user, client, options.suites ?? [1, 2], identity)
    const http = new Http({ baseUrl, encoding, retries })
    return new Client(new Device(http, record, now), new Store(record))
  }

  /** Comes back after a crash with nothing but what `store.export()` had written. */
  static async restore(saved: Uint8Array, baseUrl: string, encoding: Encoding = 'cbor'): Promise<Client> {
    const store = Store.import(saved)
    const client = new Client(new Device(new Http({ baseUrl, encoding }), store.device), store)
    await client.device.login()
    for (const group of client.groups.values()) if (group.record.standing === 'member') await group.resume()
    return client
  }

  get uri(): string {
    return this.device.client
  }
  get user(): string {
    return this.device.record.user
  }
  get stream(): Stream | undefined {
    return this.device.stream
  }

  group(groupId: Uint8Array): Group {
    const found = this.groups.get(toHex(groupId))
    if (!found) throw new Error(`${this.uri} does not know this group`)
    return found
  }

  async createGroup(wish: NewGroup): Promise<Group> {
    const record = await createOnServer(this.device, wish, this.#former)
    this.store.put(record)
    return this.#adopt(record.groupId)
  }

  /** A branch, or the group that a ReInit announced, with members from the first epoch on. */
  async beginAfter(wish: GroupAfter): Promise<Group> {
    const record = await beginOnServer(this.device, wish)
    this.store.put(record)
    return this.#adopt(record.groupId)
  }

  async joinExternally(wish: ExternalJoin): Promise<Group> {
    for (let attempt = 0; ; attempt++) {
      try {
        this.store.put(await joinExternally(this.device, { former: this.#former(wish.groupId), ...wish }))
        return this.#adopt(wish.groupId)
      } catch (error) {
        // Somebody else's Commit was first: take the GroupInfo of the new epoch and try again.
        if (!(error instanceof ServerProblem) || error.kind !== 'stale-epoch' || attempt > 20) throw error
      }
    }
  }

  connect(): void {
    this.device.stream = new Stream(this.device.http.baseUrl, this.#owner())
    this.device.stream.connect()
  }

  async disconnect(): Promise<void> {
    const { stream } = this.device
    this.device.stream = undefined
    await stream?.close()
  }

  /** The same events without a stream: one long poll, processed and acknowledged. @returns how many there were */
  async poll(waitSeconds = 0): Promise<number> {
    const events = await this.device.http.get<Events>(`/v1/events?wait=${waitSeconds}`)
    for (const item of events.inbox) await this.#onInbox(item)
    await this.#onEntries(events.entries)
    if (events.inbox.length + events.entries.length > 0) {
      await this.device.http.post('/v1/events/acks', { acks: lastOfEach(events.entries), inbox: events.inbox.map((item) => item.id) })
    }
    return events.inbox.length + events.entries.length
  }

  /** Waits for a condition on what this device knows; looks again whenever something changed. */
  until(what: string, condition: () => boolean, deadlineMs = 60_000): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => finish(() => reject(new Error(`${this.uri} waited in vain: ${what}`))), deadlineMs)
      const look = () => (condition() ? finish(resolve) : undefined)
      const finish = (end: () => void) => {
        clearTimeout(timer)
        this.#watchers.delete(look)
        end()
      }
      this.#watchers.add(look)
      look()
    })
  }

  #owner() {
    return {
      positions: () => this.#positions(),
      onEntries: (entries: Entry[]) => this.#onEntries(entries),
      onInbox: (item: InboxItem) => this.#onInbox(item),
      onResync: (groupId: Uint8Array) => this.#onResync(groupId),
      onLive: () => {
        this.lives++
        this.#changed()
      },
      onClose: () => this.#changed(),
      renewToken: () => this.device.refresh(),
      credentials: (method: string, url: string) => this.device.http.credentials(method, url),
    }
  }

  readonly #former = (groupId: Uint8Array) => this.store.group(groupId)

  #positions(): Position[] {
    return [...this.store.groups.values()]
      .filter((record) => record.standing !== 'deleted')
      .map(({ groupId, incarnation, cursor }) => ({ group_id: groupId, incarnation, seq: cursor }))
  }

  async #onEntries(entries: readonly Entry[]): Promise<void> {
    for (const entry of entries) await this.groups.get(toHex(entry.group_id))?.receive([entry])
    for (const group of this.groups.values()) if (group.record.quarantine.length > 0) await tryToCleanse(group)
    this.#changed()
  }

  /** After a change of the own list: a new leaf in each group, which tells the others how far the list goes. */
  async showNewLeaf(): Promise<void> {
    for (const group of this.groups.values()) if (group.record.standing === 'member') await group.update()
  }

  async #onInbox(item: InboxItem): Promise<void> {
    if (item.kind === 'welcome') await this.#onWelcome(item as InboxItem & WelcomeItem)
    if (item.kind === 'key-packages.low') await this.device.publishKeyPackages(20)
    const record = item.group_id && this.store.group(item.group_id)
    if (record) noteOfGroup(record, item)
    if (item.kind === 'resync' && item.group_id) await this.#onResync(item.group_id)
    this.identityEvents.push(...(await actOnNotice(this.device, item)))
    this.notices.push(item)
    this.#changed()
  }

  /** This client's user says that a contact's new identity is right: leaves of the one before fail from here on (docs/identity.md §5.8). */
  async acceptIdentity(user: string): Promise<void> {
    this.device.identities.accept(user)
    for (const group of this.groups.values()) if (group.record.standing === 'member') await tryToCleanse(group)
  }

  /** A Welcome may come twice, if its acknowledgement was lost: the group that it opened is newer then. */
  async #onWelcome(item: WelcomeItem): Promise<void> {
    const known = this.store.group(item.group_id)
    if (known && known.standing === 'member' && known.cursor >= item.seq) return
    try {
      const record = await joinByWelcome(this.device, item, this.store)
      if (known) this.former.push(known)
      this.store.put(record)
      this.#adopt(item.group_id)
    } catch (error) {
      // Not acknowledged, it comes again. One that will never work must not hold up everything behind it.
      if (isTransient(error)) throw error
      this.lostWelcomes.push({ seq: item.seq, reason: error instanceof Error ? error.message : String(error) })
    }
  }

  /** Too far behind, or the log began again: come back by an external Commit that replaces our own leaf. */
  async #onResync(groupId: Uint8Array): Promise<void> {
    await noteVanished(this.device.http, groupId, this.vanished)
    const record = this.store.group(groupId)
    if (!record?.externalJoin) return
    await this.joinExternally({ groupId, mode: record.mode, suite: record.suite, resync: true })
  }

  #adopt(groupId: Uint8Array): Group {
    const record = this.store.group(groupId)
    if (!record) throw new Error('No such group in the store')
    const group = new Group(this.device, record, () => this.#changed())
    this.groups.set(toHex(groupId), group)
    this.#changed()
    return group
  }

  #changed(): void {
    for (const look of this.#watchers) look()
  }
}

function lastOfEach(entries: readonly Entry[]): Position[] {
  const last = new Map(entries.map((entry) => [toHex(entry.group_id), entry]))
  return [...last.values()].map(({ group_id, incarnation, seq }) => ({ group_id, incarnation, seq }))
}
