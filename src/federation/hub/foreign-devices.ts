import { setImmediate } from 'node:timers/promises'
import { Injectable } from '@nestjs/common'
import { LRUCache } from 'lru-cache'
import { z } from 'zod'
import type { ForeignClaim, ForeignDevice } from '../../authentication/directory/foreign-devices.repository.js'
import type { Caller } from '../../authentication/session/caller.js'
import { Hints } from '../../platform/hints/hints.js'
import { Bytes, UnixSeconds } from '../../platform/http/bytes.js'
import { RateLimited } from '../../platform/http/problem.js'
import { numberOf } from '../../platform/limits/described-limit.js'
import { Limits } from '../../platform/limits/limits.js'
import { sleep } from '../../platform/timing.js'
import { parseClientUri, userUri } from '../../protocol/identifiers.js'
import { canonicalKey, isSoundKey } from '../../protocol/signature-key.js'
import { readCbor } from '../../protocol/strict-cbor.js'
import { ClientUnknown } from '../inbound/inbound.problems.js'
import { ForeignDeviceLists } from '../device-lists/foreign-device-lists.js'
import { requireUriOfPeer, type Peer } from '../inbound/peer.js'
import { SignedClient } from '../outbound/signed-client.js'
import { FOREIGN_LIMITS, ForeignUserRecords } from './foreign-user-records.js'

const Key = z.object({ public_key: Bytes(256), valid_from: UnixSeconds, valid_until: UnixSeconds.optional() })
const Device = z.object({ client: z.string().max(400), revoked_at: UnixSeconds.optional(), signature_keys: z.array(Key) })

/** The directory of a user at its provider: the DirectoryEntry of the client API, in CBOR. */
const UserDirectory = z.object({ devices: z.array(Device) })

type UserDirectoryEntry = z.infer<typeof UserDirectory>

/** How long a fetched user directory counts as fresh. A key that it does not list is asked for at once. */
const CONFIRMED_MS = 300_000
/** While the provider does not answer, a copy of up to this age is used. */
const STALE_MS = 86_400_000
/** Bounds on one directory answer: checking a key takes up to a millisecond of the event loop. */
const MOST = { devices: 200, keysOfDevice: 16, keys: 500 }
const KEYS_IN_A_ROW = 10
/** Revocation notices about one user within this time cause one fetch. */
const REFRESH_MS = 1_000
const REFRESHES = { name: 'foreign-refreshes', points: 600, seconds: 60 }
const NEW_USERS = () =>
  ({ name: FOREIGN_LIMITS.newUsers.name, points: numberOf(FOREIGN_LIMITS.newUsers), seconds: 3_600, exact: true }) as const
const MAX_REMEMBERED = 10_000
const FAR_FUTURE = new Date(8.64e15)

interface Fetch {
  readonly wanted: Set<string>
  readonly done: Promise<void>
}

/** Devices and keys of other providers' users: a copy of what their providers publish, so that groups treat all members in the same way. */
@Injectable()
export class ForeignDevices {
  /** What is asked for, by user: the clients that the answer is to be written down of. */
  private readonly fetching = new Map<string, Fetch>()
  private readonly refreshing = new Map<string, Promise<void>>()
  private readonly refreshedAt = new LRUCache<string, number>({ max: MAX_REMEMBERED })

  constructor(
    private readonly records: ForeignUserRecords,
    private readonly lists: ForeignDeviceLists,
    private readonly client: SignedClient,
    private readonly limits: Limits,
    private readonly hints: Hints,
  ) {}

  /** Fetches the directories of the users whose claimed devices or keys are not confirmed. A provider that does not answer changes nothing. */
  async introduce(claims: readonly ForeignClaim[]): Promise<void> {
    const open = await this.records.unconfirmed(claims, CONFIRMED_MS)
    const byUser = Map.groupBy(open, ({ client }) => userOfClient(client))
    byUser.delete(undefined)
    await Promise.all([...byUser].map(([user = '', ofUser]) => this.fetchOnce(user, new Set(ofUser.map(({ client }) => client)))))
  }

  /** The caller that stands for a device of a peer's user. @throws ForeignDomain; ClientUnknown unless the provider lists the device as active */
  async caller(peer: Peer, client: string): Promise<Caller> {
    requireUriOfPeer(peer, client, 'client')
    const user = userOfClient(client)
    if (user === undefined) throw new ClientUnknown()
    const isVouchedFor = async () =>
      (await this.records.unconfirmed([{ client }], STALE_MS)).length === 0 && (await this.records.isKnown(user))
    if (!(await isVouchedFor())) {
      await this.fetchOnce(user, new Set([client]))
      if (!(await isVouchedFor())) throw new ClientUnknown()
    }
    const device = await this.records.device(client)
    if (!device || device.revoked) throw new ClientUnknown()
    return { deviceId: device.deviceId, userId: device.userId, client, user, generation: 0, expiresAt: FAR_FUTURE }
  }

  /** Fetches the directory of a known user again, once for all notices within REFRESH_MS. @throws ForeignDomain, RateLimited */
  async refresh(peer: Peer, client: string): Promise<void> {
    requireUriOfPeer(peer, client, 'client')
    const user = userOfClient(client)
    if (user === undefined || !(await this.records.isKnown(user))) return
    const coming = this.refreshing.get(user) ?? this.refreshSoon(peer, user)
    await coming
  }

  private refreshSoon(peer: Peer, user: string): Promise<void> {
    const last = this.refreshedAt.get(user)
    const waitMs = last === undefined ? 0 : Math.max(0, last + REFRESH_MS - performance.now())
    const coming = this.limits
      .take(REFRESHES, peer.domain)
      .then(() => sleep(waitMs))
      .then(() => {
        // A later caller may know of more devices than what is fetched now.
        this.refreshing.delete(user)
        this.refreshedAt.set(user, performance.now())
        return this.fetch(user, () => new Set())
      })
      .finally(() => {
        if (this.refreshing.get(user) === coming) this.refreshing.delete(user)
      })
    this.refreshing.set(user, coming)
    return coming
  }

  private async fetchOnce(user: string, clients: ReadonlySet<string>): Promise<void> {
    const begun = this.fetching.get(user)
    if (begun) {
      for (const client of clients) begun.wanted.add(client)
      // What somebody else has begun may end at that one's limit (`FirstLooks`).
      return begun.done.catch((error: unknown) => {
        if (error instanceof RateLimited) return this.fetchOnce(user, clients)
        throw error
      })
    }
    const wanted = new Set(clients)
    const close = () => {
      if (this.fetching.get(user)?.wanted === wanted) this.fetching.delete(user)
      return wanted
    }
    const done = this.fetch(user, close).finally(close)
    this.fetching.set(user, { wanted, done })
    return done
  }

  /**
   * With the device list: a device that is new here is new there too.
   * @param wanted the clients that were asked for until the answer came; who asks later begins another fetch
   */
  private async fetch(user: string, wanted: () => ReadonlySet<string>): Promise<void> {
    const [list] = await Promise.all([this.lists.ask(user), this.fetchDirectory(user, wanted)])
    if (list !== undefined) await this.lists.want(user, list)
  }

  private async fetchDirectory(user: string, wanted: () => ReadonlySet<string>): Promise<void> {
    const peer = user.split('/')[2] ?? ''
    const answer = await this.client.send({ peer, endpoint: 'directory', argument: user, body: new Uint8Array() })
    if (answer.kind !== 'answered' || answer.status !== 200) return
    const clients = wanted()
    const devices = await devicesOf(user, answer.body, clients)
    if (!devices) return
    if (!(await this.records.isKnown(user))) await this.limits.take(NEW_USERS(), peer)
    const revoked = await this.records.write(user, devices, clients)
    this.hints.publish(revoked.map((deviceId) => ({ kind: 'revoked', deviceId })))
  }
}

function userOfClient(client: string): string | undefined {
  const parsed = parseClientUri(client)
  return parsed && userUri(parsed)
}

/** Only devices of that user, with keys that can be used; where there are more than the bounds allow, those that were asked for come first, then active ones. */
async function devicesOf(user: string, body: Uint8Array, wanted: ReadonlySet<string>): Promise<ForeignDevice[] | undefined> {
  const parsed = UserDirectory.safeParse(readCbor(body))
  if (!parsed.success) return undefined
  const own = parsed.data.devices.filter(({ client }) => userOfClient(client) === user)
  const rank = ({ client, revoked_at: at }: ToldDevice) => (wanted.has(client) ? 0 : at === undefined ? 1 : 2)
  const taken = own.toSorted((one, other) => rank(one) - rank(other)).slice(0, MOST.devices)
  const devices: ForeignDevice[] = []
  let room = MOST.keys
  for (const { client, revoked_at: revokedAt = null, signature_keys: keys } of taken) {
    const some = keys.slice(0, Math.min(room, MOST.keysOfDevice))
    room -= some.length
    devices.push({ client, revokedAt, keys: await soundKeys(some) })
  }
  return devices
}

type ToldDevice = UserDirectoryEntry['devices'][number]
type ToldKey = ToldDevice['signature_keys'][number]

async function soundKeys(told: readonly ToldKey[]): Promise<ForeignDevice['keys']> {
  const sound: { publicKey: Uint8Array; validFrom: Date; validUntil: Date | null }[] = []
  for (const [index, { public_key: bytes, valid_from: validFrom, valid_until: validUntil = null }] of told.entries()) {
    if (index % KEYS_IN_A_ROW === 0) await setImmediate()
    const key = canonicalKey(bytes)
    if (key && isSoundKey(key)) sound.push({ publicKey: key.publicKey, validFrom, validUntil })
  }
  return sound
}
