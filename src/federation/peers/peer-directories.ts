import type { KeyObject } from 'node:crypto'
import { Inject, Injectable } from '@nestjs/common'
import { LRUCache } from 'lru-cache'
import type { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { POOL } from '../../platform/postgres/sql.js'
import { sleep } from '../../platform/timing.js'
import { DirectoryFetches } from './directory-fetches.js'
import { DirectoryTimes } from './directory-times.js'
import { FirstLooks, type Asker } from './first-looks.js'
import { copyOf, type Copy, type PeerDirectory } from './peer-directory.js'
import { findPeer, findPeerKeys } from './peers.repository.js'

const MAX_REMEMBERED = 10_000

interface Running {
  /** Who began it. */
  readonly asker: Asker
  readonly done: Promise<boolean>
}

/** For what a directory is fetched: each costs at most one fetch in a while. */
type Reason = 'age' | 'key' | 'authority'

/**
 * Directories of other providers: a copy in the database, which all nodes share, and what this node remembers of it. Whatever a copy
 * can answer, it answers at once; who waits for a fetch is who asks for what is not in it.
 */
@Injectable()
export class PeerDirectories {
  private readonly copies = new LRUCache<string, { at: number; copy: Promise<Copy> }>({ max: MAX_REMEMBERED })
  private readonly running = new Map<string, Running>()
  private readonly fetchedAt = new LRUCache<string, number>({ max: MAX_REMEMBERED })
  private readonly failedAt = new LRUCache<string, number>({ max: MAX_REMEMBERED })

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'FEDERATION_CLOCK_SKEW'>,
    private readonly fetches: DirectoryFetches,
    private readonly looks: FirstLooks,
    private readonly times: DirectoryTimes,
  ) {}

  /**
   * Undefined if there is none that counts: the provider could not be reached yet, or not since its directory expired.
   * @throws RateLimited at a first look: see `FirstLooks`
   */
  async of(domain: string): Promise<PeerDirectory | undefined> {
    const { directory, fetchedAt } = await this.copy(domain)
    const counts = directory && directory.expiresAt.getTime() > Date.now()
    const age = Date.now() - (fetchedAt?.getTime() ?? 0)
    if (counts && age < this.times.fresh) return directory
    const fetch = this.fetchOnce(domain, 'age', !fetchedAt)
    if (counts) {
      void fetch.catch(() => undefined)
      if (age < this.times.stale || this.hasJustFailed(domain)) return directory
      // So old a copy may have keys that are withdrawn by now. But nobody stops the peer by slowing its directory down.
      await Promise.race([fetch.catch(() => undefined), sleep(this.times.patience)])
    } else await fetch
    const now = (await this.copy(domain)).directory
    return now && now.expiresAt.getTime() > Date.now() ? now : undefined
  }

  /** A key that may sign now; one that is not known is looked for again, once in a while. */
  async key(domain: string, keyId: string, now: Date): Promise<KeyObject | undefined> {
    const directory = await this.of(domain)
    const found = this.keyIn(directory, keyId, now)
    if (found || !directory) return found
    await this.fetchOnce(domain, 'key', false)
    return this.keyIn(await this.of(domain), keyId, now)
  }

  /** @param fresh those that are known do not serve: the provider is asked again, once in a while */
  async authorities(domain: string, fresh: boolean): Promise<readonly Uint8Array[]> {
    const directory = await this.of(domain)
    if (directory && fresh) await this.fetchOnce(domain, 'authority', false)
    return (await this.of(domain))?.authorities ?? []
  }

  private keyIn(directory: PeerDirectory | undefined, keyId: string, now: Date): KeyObject | undefined {
    const found = directory?.keys.get(keyId)
    if (!found || (found.notAfter !== null && found.notAfter <= now)) return undefined
    return found.notBefore.getTime() <= now.getTime() + this.config.FEDERATION_CLOCK_SKEW ? found.key : undefined
  }

  private copy(domain: string): Promise<Copy> {
    const known = this.copies.get(domain)
    if (known && performance.now() - known.at < this.times.memory) return known.copy
    const entry = { at: performance.now(), copy: this.read(domain) }
    this.copies.set(domain, entry)
    const forget = () => this.copies.get(domain) === entry && this.copies.delete(domain)
    // One that is not there may be there in a moment.
    entry.copy.then(({ directory }) => directory ?? forget(), forget)
    return entry.copy
  }

  private async read(domain: string): Promise<Copy> {
    return copyOf(await findPeer(this.pool, domain), await findPeerKeys(this.pool, domain))
  }

  /** Joins a fetch that is under way, or begins one, unless there was one for this reason just before. @throws RateLimited */
  private fetchOnce(domain: string, reason: Reason, isFirst: boolean): Promise<unknown> {
    const running = this.running.get(domain)
    if (running) {
      const { kind, name } = this.looks.asker
      const isOwn = running.asker.kind === kind && running.asker.name === name
      // What another asker has begun may end at its limit.
      return isOwn ? running.done : running.done.catch(() => this.fetchOnce(domain, reason, isFirst))
    }
    const last = this.fetchedAt.get(`${reason} ${domain}`)
    if (last !== undefined && performance.now() - last <= this.times.again) return Promise.resolve()
    const entry = { asker: this.looks.asker, done: this.fetch(domain, reason, isFirst) }
    this.running.set(domain, entry)
    const end = () => this.running.get(domain) === entry && this.running.delete(domain)
    entry.done.then(end, end)
    return entry.done
  }

  private async fetch(domain: string, reason: Reason, isFirst: boolean): Promise<boolean> {
    if (isFirst) await this.looks.take()
    // Only now: who was stopped by the limit has not asked.
    this.fetchedAt.set(`${reason} ${domain}`, performance.now())
    const isAnswered = await this.fetches.fetch(domain)
    if (isAnswered) this.failedAt.delete(domain)
    else this.failedAt.set(domain, performance.now())
    this.copies.delete(domain)
    return isAnswered
  }

  /** Then nobody waits for it again. */
  private hasJustFailed(domain: string): boolean {
    const last = this.failedAt.get(domain)
    return last !== undefined && performance.now() - last < this.times.stale
  }
}
