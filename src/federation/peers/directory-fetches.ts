import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Events } from '../../platform/observability/events.js'
import { POOL, transaction, type Sql } from '../../platform/postgres/sql.js'
import { sha256 } from '../../protocol/sha256.js'
import { peerAlarmed, peerDirectoryEnding, peerFirstSeen, peerKeysChanged } from '../federation.events.js'
import { keepDirectory } from '../evidence/kept-directories.repository.js'
import { differingOutside, endpointsOf, readDirectory, type ReadDirectory } from '../identity/directory-document.js'
import { PeerConnections } from '../outbound/peer-http.js'
import { DirectoryTimes } from './directory-times.js'
import { reasonForDistrust } from './judge-directory.js'
import { endOf } from './peer-directory.js'
import {
  findPastKeys,
  lockPeer,
  noteDirectoryFailure,
  raiseAlarm,
  storeDirectory,
  type PeerDirectoryContent,
} from './peer-directories.repository.js'
import { findPeer, findPeerKeys } from './peers.repository.js'

type Read = Extract<ReadDirectory, { kind: 'read' }>

/** Said beside a directory that counts. */
const DIFFERS = 'what stands beside its signed part differs from that, which alone counts'

/** Fetches the directories of other providers, and stores those that are trusted. What is stored stays in force while nothing better can be had. */
@Injectable()
export class DirectoryFetches {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'FEDERATION_PEER_URLS'>,
    private readonly connections: PeerConnections,
    private readonly times: DirectoryTimes,
    private readonly events: Events,
  ) {}

  /** @returns whether there was one to judge */
  async fetch(domain: string): Promise<boolean> {
    const base = this.config.FEDERATION_PEER_URLS?.get(domain) ?? `https://${domain}`
    const url = `${base}/.well-known/mimi-protocol-directory`
    const outcome = await this.connections.of(domain).send({ method: 'GET', url, headers: { accept: 'application/json' } })
    if (outcome.kind !== 'answered') return this.fail(domain, `${outcome.kind}: ${outcome.detail}`)
    if (outcome.status !== 200) return this.fail(domain, `its web server answers ${outcome.status}`)
    const read = readDirectory(outcome.body)
    if (read.kind === 'malformed') return this.fail(domain, read.why)
    await this.consider(domain, read)
    return true
  }

  /** The operator hears of it when it begins to matter. */
  private async fail(domain: string, why: string): Promise<false> {
    await noteDirectoryFailure(this.pool, domain, why)
    const row = await findPeer(this.pool, domain)
    const end = endOf(row?.expiresAt ?? null, await findPeerKeys(this.pool, domain)).getTime()
    if (end > 0 && end < Date.now() + this.times.warning) peerDirectoryEnding(this.events)
    return false
  }

  private async consider(domain: string, read: Read): Promise<void> {
    const outcome = await transaction(this.pool, (sql) => this.judge(sql, domain, read))
    if (outcome.alarm !== undefined) peerAlarmed(this.events, outcome.alarm)
    if (outcome.isFirst) peerFirstSeen(this.events)
    if (outcome.hasNewKeys) peerKeysChanged(this.events)
  }

  /** Under the lock of the peer's row: of two documents that nodes fetch at the same time, the second is judged by what the first has pinned. */
  private async judge(sql: Sql, domain: string, read: Read): Promise<{ alarm?: string; isFirst?: boolean; hasNewKeys?: boolean }> {
    const { issuedAt, payloadHash } = await lockPeer(sql, domain)
    const [pinned, past] = [await findPeerKeys(sql, domain), await findPastKeys(sql, domain)]
    const { signed, directory } = read
    const fetched = { signed, directory, payloadHash: sha256(Buffer.from(signed.payload)) }
    const doubt =
      reasonForDistrust(fetched, { domain, pinned, past, issuedAt, payloadHash }, new Date()) ??
      ((await keepDirectory(sql, signed, directory)) ? undefined : 'its keys change too often')
    if (doubt !== undefined) {
      await raiseAlarm(sql, domain, doubt)
      return { alarm: doubt }
    }
    const alarm = differingOutside(read).length > 0 ? DIFFERS : undefined
    await storeDirectory(sql, { ...contentOf(read), payloadHash: fetched.payloadHash, alarm: alarm ?? null })
    const isFirst = pinned.length === 0
    const hasNewKeys = !isFirst && directory.keys.some(({ kid }) => !pinned.some(({ keyId }) => keyId === kid))
    return { ...(alarm !== undefined && { alarm }), isFirst, hasNewKeys }
  }
}

function contentOf({ directory }: Read): Omit<PeerDirectoryContent, 'payloadHash' | 'alarm'> {
  const time = (seconds: number) => new Date(seconds * 1000)
  return {
    domain: directory.domain,
    endpoints: endpointsOf(directory),
    profiles: directory.profiles,
    features: directory.features ?? [],
    authorities: (directory.x509_authorities ?? []).map((one) => Buffer.from(one, 'base64url')),
    issuedAt: time(directory.issued_at),
    expiresAt: time(directory.expires_at),
    keys: directory.keys.map(({ kid, x, nbf, exp }) => ({
      keyId: kid,
      publicKey: Buffer.from(x, 'base64url'),
      notBefore: time(nbf),
      notAfter: exp === undefined ? null : time(exp),
    })),
  }
}
