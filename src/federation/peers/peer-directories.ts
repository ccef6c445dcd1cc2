import type { KeyObject } from 'node:crypto'
import { Inject, Injectable } from '@nestjs/common'
import { LRUCache } from 'lru-cache'
import type { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Events } from '../../platform/observability/events.js'
import { POOL, transaction } from '../../platform/postgres/sql.js'
import { MimiDirectory, readKeyDirectory } from '../identity/directory-document.js'
import { ed25519Key } from '../../protocol/signature-key.js'
import { ENDPOINTS } from '../identity/endpoints.js'
import { PeerConnections } from '../outbound/peer-http.js'
import { FirstLooks, type Asker } from './first-looks.js'
import { reasonForDistrust } from './judge-directory.js'
import { peerAlarmed, peerFirstSeen, peerKeysChanged } from '../federation.events.js'
import { directoryToKeep } from '../evidence/directory-to-keep.js'
import { keepDirectory } from '../evidence/kept-directories.repository.js'
import { findPeer, findPeerKeys, raiseAlarm, storeDirectory } from './peers.repository.js'

/** How long a node uses its own copy, and all nodes that in the database. */
const MEMORY_MS = 30_000
const STORED_MS = 3_600_000
/** Key ids may be invented by anyone; they cost at most one fetch in this time. */
const REFETCH_MS = 10_000
const MAX_REMEMBERED = 10_000

const TEMPLATE = /^[\x21-\x7e]{1,1024}$/

export interface PeerDirectory {
  readonly domain: string
  readonly endpoints: Readonly<Record<string, string>>
  readonly profiles: readonly string[]
  /** X.509 authorities of its domain, DER. */
  readonly authorities: readonly Uint8Array[]
  readonly keys: ReadonlyMap<string, { readonly key: KeyObject; readonly notBefore: Date; readonly notAfter: Date | null }>
}

interface Remembered {
  readonly at: number
  /** Who began it. */
  readonly asker: Asker
  readonly loading: Promise<PeerDirectory | undefined>
}

/** Endpoints, profiles and keys of other providers, as their directories say. */
@Injectable()
export class PeerDirectories {
  private readonly remembered = new LRUCache<string, Remembered>({ max: MAX_REMEMBERED })
  private readonly fetchedAt = new LRUCache<string, number>({ max: MAX_REMEMBERED })
  private readonly soughtAt = new LRUCache<string, number>({ max: MAX_REMEMBERED })
  private readonly authoritiesSoughtAt = new LRUCache<string, number>({ max: MAX_REMEMBERED })

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG)
    private readonly config: Pick<Config, 'FEDERATION_PEER_URLS' | 'FEDERATION_CLOCK_SKEW'>,
    private readonly connections: PeerConnections,
    private readonly looks: FirstLooks,
    private readonly events: Events,
  ) {}

  /** Undefined while the provider cannot be reached for the first time, or has no directory. @throws RateLimited at a first look: see `FirstLooks` */
  of(domain: string): Promise<PeerDirectory | undefined> {
    const known = this.remembered.get(domain)
    if (!known || performance.now() - known.at >= MEMORY_MS) return this.remember(domain, this.load(domain))
    const { kind, name } = this.looks.asker
    // What another asker has begun may end at its limit.
    const isOwn = known.asker.kind === kind && known.asker.name === name
    return isOwn ? known.loading : known.loading.catch(() => this.of(domain))
  }

  /** A key that may sign now; one that is not known is looked for again, once in a while. */
  async key(domain: string, keyId: string, now: Date): Promise<KeyObject | undefined> {
    const directory = await this.of(domain)
    const found = this.keyIn(directory, keyId, now)
    if (found || !directory) return found
    if (isDue(this.soughtAt, domain)) {
      noteAsked(this.soughtAt, domain)
      void this.remember(domain, this.refetch(domain))
    }
    // Also for those who come while another looks.
    return this.keyIn(await this.of(domain), keyId, now)
  }

  /** @param fresh those that are known do not serve: the provider is asked again, once in a while */
  async authorities(domain: string, fresh: boolean): Promise<readonly Uint8Array[]> {
    const directory = await this.of(domain)
    if (directory && fresh && isDue(this.authoritiesSoughtAt, domain)) {
      noteAsked(this.authoritiesSoughtAt, domain)
      void this.remember(domain, this.refetch(domain))
    }
    return (await this.of(domain))?.authorities ?? []
  }

  private keyIn(directory: PeerDirectory | undefined, keyId: string, now: Date): KeyObject | undefined {
    const found = directory?.keys.get(keyId)
    if (!found || (found.notAfter !== null && found.notAfter <= now)) return undefined
    return found.notBefore.getTime() <= now.getTime() + this.config.FEDERATION_CLOCK_SKEW ? found.key : undefined
  }

  private remember(domain: string, loading: Promise<PeerDirectory | undefined>): Promise<PeerDirectory | undefined> {
    const entry = { at: performance.now(), asker: this.looks.asker, loading }
    this.remembered.set(domain, entry)
    const forget = () => this.remembered.get(domain) === entry && this.remembered.delete(domain)
    loading.then((directory) => directory ?? forget(), forget)
    return loading
  }

  private async load(domain: string): Promise<PeerDirectory | undefined> {
    const row = await findPeer(this.pool, domain)
    const young = row?.fetchedAt && Date.now() - row.fetchedAt.getTime() < STORED_MS
    if (young || !isDue(this.fetchedAt, domain)) return this.stored(domain)
    if (!row?.fetchedAt) await this.looks.take()
    // Only now: who was stopped by the limit has not asked.
    noteAsked(this.fetchedAt, domain)
    return this.refetch(domain)
  }

  /** What is stored stays in force while nothing better can be had. */
  private async refetch(domain: string): Promise<PeerDirectory | undefined> {
    const base = this.config.FEDERATION_PEER_URLS?.get(domain) ?? `https://${domain}`
    const url = `${base}/.well-known/mimi-protocol-directory`
    const outcome = await this.connections.of(domain).send({ method: 'GET', url, headers: { accept: 'application/json' } })
    if (outcome.kind === 'answered' && outcome.status === 200) await this.consider(domain, outcome.body)
    return this.stored(domain)
  }

  private async consider(domain: string, body: Uint8Array): Promise<void> {
    const fetched = parse(body)
    const directory = fetched && readKeyDirectory(fetched.key_directory)
    if (!fetched || !directory) return
    const [row, keys] = [await findPeer(this.pool, domain), await findPeerKeys(this.pool, domain)]
    const pinned = keys.map(({ publicKey, notAfter }) => ({ publicKey: ed25519Key(publicKey), notAfter }))
    const doubt = await reasonForDistrust(fetched.key_directory, directory, { domain, pinned, issuedAt: row?.issuedAt ?? null }, new Date())
    if (doubt !== undefined) {
      peerAlarmed(this.events, doubt)
      return raiseAlarm(this.pool, domain, doubt)
    }
    const kept = await transaction(this.pool, async (sql) => {
      if (!(await keepDirectory(sql, directoryToKeep(fetched.key_directory, directory)))) return false
      await storeDirectory(sql, {
        domain,
        endpoints: endpointsOf(fetched),
        profiles: directory.profiles,
        authorities: (directory.x509_authorities ?? []).map((one) => Buffer.from(one, 'base64url')),
        issuedAt: new Date(directory.issued_at * 1000),
        keys: directory.keys.map(({ kid, x, nbf, exp }) => ({
          keyId: kid,
          publicKey: Buffer.from(x, 'base64url'),
          notBefore: new Date(nbf * 1000),
          notAfter: exp === undefined ? null : new Date(exp * 1000),
        })),
      })
      return true
    })
    if (!kept) return raiseAlarm(this.pool, domain, 'its keys change too often')
    if (pinned.length === 0) peerFirstSeen(this.events)
    else if (directory.keys.some(({ kid }) => !keys.some(({ keyId }) => keyId === kid))) peerKeysChanged(this.events)
  }

  private async stored(domain: string): Promise<PeerDirectory | undefined> {
    const [row, keys] = [await findPeer(this.pool, domain), await findPeerKeys(this.pool, domain)]
    if (!row?.endpoints || keys.length === 0) return undefined
    return {
      domain,
      endpoints: row.endpoints,
      profiles: row.profiles ?? [],
      authorities: row.authorities.map((one) => new Uint8Array(one)),
      keys: new Map(keys.map(({ keyId, publicKey, notBefore, notAfter }) => [keyId, { key: ed25519Key(publicKey), notBefore, notAfter }])),
    }
  }
}

/** One fetch in this time. */
function isDue(askedAt: LRUCache<string, number>, domain: string): boolean {
  const last = askedAt.get(domain)
  return last === undefined || performance.now() - last > REFETCH_MS
}

function noteAsked(askedAt: LRUCache<string, number>, domain: string): void {
  askedAt.set(domain, performance.now())
}

function parse(body: Uint8Array): ReturnType<typeof MimiDirectory.parse> | undefined {
  try {
    return MimiDirectory.safeParse(JSON.parse(Buffer.from(body).toString('utf8'))).data
  } catch {
    return undefined // not JSON
  }
}

function endpointsOf(fetched: Record<string, unknown>): Record<string, string> {
  const known = Object.keys(ENDPOINTS).flatMap((name): [string, string][] => {
    const template = fetched[name]
    return typeof template === 'string' && TEMPLATE.test(template) ? [[name, template]] : []
  })
  return Object.fromEntries(known)
}
