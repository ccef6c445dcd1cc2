import { Inject, Injectable } from '@nestjs/common'
import { LRUCache } from 'lru-cache'
import type { Pool } from 'pg'
import type { LogRow } from '../../delivery/read/entry.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { RateLimited } from '../../platform/http/problem.js'
import { numberOf } from '../../platform/limits/described-limit.js'
import { Events } from '../../platform/observability/events.js'
import { Metrics } from '../../platform/observability/metrics.js'
import { POOL, type Sql } from '../../platform/postgres/sql.js'
import { SharedValue } from '../../platform/shared-value.js'
import { peerHeldBack } from '../federation.events.js'
import { PeerBytes } from './peer-bytes.js'
import { PEER_QUOTAS } from './quotas.limits.js'
import { HeldBack } from './quotas.problems.js'
import { judgeReplicaBytes, noteHeldBack, sumPeerStorage, type StorageLimits } from './replica-storage.repository.js'

/** What a batch adds to a replica: entries that are not there yet, and Welcomes with the local devices that get them. */
export interface Added {
  readonly entries: readonly Pick<LogRow, 'seq' | 'bytes'>[]
  readonly joining: bigint | undefined
  readonly welcomes: readonly { readonly bytes: Uint8Array; readonly deviceIds: readonly bigint[] }[]
  /** It makes the replica, by a Welcome that comes without an entry: as a first entry it may be larger than what a new group may keep. */
  readonly founds?: boolean
}

/** Where it goes. */
export interface Place {
  readonly gid: bigint
  readonly hub: string
  /** Seq of the last entry that is there. */
  readonly headSeq: bigint
}

/** One note per hub in this time, and for as long a hub counts as held back in the metrics. */
const NOTE_MS = 10_000
const RECENT_MS = 900_000
/** The three gauges of one answer are read at once. */
const SUM_FRESH_MS = 1_000
const MAX_REMEMBERED = 10_000

/** Bytes that hubs store in replicas: by group, by the local user by whom a group came, and by hub (docs/limits.md). */
@Injectable()
export class ReplicaQuota {
  private readonly limits: StorageLimits
  private readonly notedAt = new LRUCache<string, number>({ max: MAX_REMEMBERED })

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) config: Pick<Config, 'GROUP_MAX_BYTES' | 'FEDERATION_USER_MAX_BYTES' | 'FEDERATION_PEER_MAX_BYTES'>,
    private readonly events: Events,
    metrics: Metrics,
    private readonly peerBytes: PeerBytes,
  ) {
    const { newGroup, joinedGroup, newOfUser, newOfPeer, groupsOfUser, groupsOfPeer, welcomes } = PEER_QUOTAS
    const group = Math.ceil(config.GROUP_MAX_BYTES * 1.25)
    const ofAll = [config.FEDERATION_USER_MAX_BYTES, config.FEDERATION_PEER_MAX_BYTES]
    const bytes = [
      Math.min(numberOf(newGroup), group),
      Math.min(numberOf(joinedGroup), group),
      group,
      numberOf(newOfUser),
      numberOf(newOfPeer),
    ]
    this.limits = [...bytes, ...ofAll, numberOf(groupsOfUser), numberOf(groupsOfPeer), numberOf(welcomes)]
    const held = new SharedValue(SUM_FRESH_MS, () => sumPeerStorage(this.pool, RECENT_MS))
    const sum = () => held.get()
    metrics.gauge('federation_replica_bytes', 'Bytes that other providers keep here in their groups', async () =>
      Number((await sum()).bytes),
    )
    metrics.gauge('federation_replica_bytes_of_largest', 'The same of the provider with the most', async () => Number((await sum()).most))
    metrics.gauge('federation_peers_held_back', 'Providers of which a batch was held back in the last 15 minutes', async () =>
      Number((await sum()).heldBack),
    )
  }

  /** In the transaction that stores the batch, before it does, with the group's row locked. @throws HeldBack */
  async admit(sql: Sql, { gid, hub, headSeq }: Place, { entries, joining, welcomes, founds = false }: Added): Promise<void> {
    const bytes = sizeOf(entries) + sizeOf(welcomes)
    const welcomed = welcomes.flatMap(({ deviceIds }) => deviceIds)
    const isFirst = founds || (joining !== undefined && entries.length === 1 && entries[0]?.seq === headSeq + 1n)
    const by = await judgeReplicaBytes(sql, { gid, hub, joining, bytes, entries: entries.length, isFirst, welcomed }, this.limits)
    if (by !== undefined) throw new HeldBack(by, gid)
  }

  /** To be called when the transaction is over. @throws the same, once the operator can see that a batch was held back */
  async refused(error: unknown, hub: string): Promise<never> {
    if (error instanceof HeldBack) {
      const last = this.notedAt.get(hub)
      if (last === undefined || performance.now() - last >= NOTE_MS) {
        this.notedAt.set(hub, performance.now())
        peerHeldBack(this.events, error.by)
      }
      await noteHeldBack(this.pool, hub, error.gid, error.by)
    }
    throw error
  }

  /**
   * A batch that this server has fetched counts like one that was pushed.
   * @returns undefined where no more of the hub is stored for now: it brings the batch again, or is asked again
   */
  async fetched<T>(hub: string, bytes: number, store: () => Promise<T>): Promise<T | undefined> {
    try {
      await this.peerBytes.take(hub, bytes)
      return await store()
    } catch (error) {
      if (error instanceof HeldBack || error instanceof RateLimited) return undefined
      throw error
    }
  }
}

function sizeOf(items: readonly { readonly bytes: Uint8Array }[]): number {
  return items.reduce((sum, { bytes }) => sum + bytes.length, 0)
}
