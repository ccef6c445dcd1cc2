import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import type { LogRow } from '../../delivery/read/entry.js'
import { POOL } from '../../platform/postgres/sql.js'
import type { NotifyBatch } from '../../protocol/mimi/microchat/notify-batch.js'
import {
  readChain,
  readIncarnation,
  readOutgoingGroup,
  readPresence,
  readRun,
  type OutgoingGroup,
  type RunLimits,
} from './outgoing.repository.js'

/** A run of entries, and where it stands. */
export interface Run {
  readonly group: OutgoingGroup
  readonly rows: readonly LogRow[]
  readonly gap: NotifyBatch['gap']
  readonly firstSeq: bigint
  /** That the entries were accepted in; not the group's, if it has been restored since. */
  readonly incarnation: number
  readonly previousChain: Uint8Array
}

/** Finds the part of a group's log that a peer gets next. */
@Injectable()
export class Runs {
  constructor(@Inject(POOL) private readonly pool: Pool) {}

  /** What comes after the place that the peer has acknowledged, or that it names. Undefined: it has everything. */
  async next(domain: string, gid: bigint, limits: RunLimits, after?: bigint): Promise<Run | undefined> {
    const group = await readOutgoingGroup(this.pool, domain, gid)
    return group && this.after(domain, group, limits, after ?? group.acked)
  }

  private async after(domain: string, group: OutgoingGroup, limits: RunLimits, after: bigint): Promise<Run | undefined> {
    const end = group.untilSeq ?? group.headSeq
    if (after >= end) return this.news(group, end)
    const { from, until } = await this.visible(domain, group, after, end)
    const { incarnation, last } = await this.incarnationAt(group, from)
    const upTo = last !== null && last < until ? last : until
    const found = await readRun(this.pool, group.gid, from - 1n, upTo, limits)
    const [first] = found
    if (!first) return this.retired(domain, group, { limits, upTo, end })
    const rows = found.filter(({ seq }, index) => seq === first.seq + BigInt(index))
    const gap = first.seq > from ? 'retired' : from > after + 1n || from === group.fromSeq ? 'rejoined' : 'none'
    const place = { group, firstSeq: first.seq, incarnation }
    const chain = gap === 'retired' ? first.chain : await readChain(this.pool, group.gid, first.seq - 1n, incarnation)
    return { ...place, rows, gap, previousChain: chain ?? first.chain }
  }

  /** Everything up to `upTo` has been retired: what comes after that is next, or nothing. */
  private retired(
    domain: string,
    group: OutgoingGroup,
    { limits, upTo, end }: { limits: RunLimits; upTo: bigint; end: bigint },
  ): Promise<Run | undefined> | Run {
    if (upTo < end) return this.after(domain, group, limits, upTo)
    const { incarnation, headChain: previousChain } = group
    return { group, rows: [], gap: 'retired', firstSeq: end + 1n, incarnation, previousChain }
  }

  /** The peer has everything, but does not know yet that the group continues in another incarnation, has stopped, or goes on. */
  private news(group: OutgoingGroup, end: bigint): Run | undefined {
    const { incarnation, headChain: previousChain } = group
    const known = incarnation === group.toldIncarnation && group.stops === group.toldStops
    if (known || group.untilSeq !== null) return undefined
    return { group, rows: [], gap: 'none', firstSeq: end + 1n, incarnation, previousChain }
  }

  /** The next entries that the peer may see: those of its absence it may not. */
  private async visible(domain: string, group: OutgoingGroup, after: bigint, end: bigint): Promise<{ from: bigint; until: bigint }> {
    if (after + 1n >= group.fromSeq) return { from: after + 1n, until: end }
    const { from, until } = (await readPresence(this.pool, domain, group.gid, after)) ?? { from: group.fromSeq, until: null }
    return { from, until: until !== null && until < end ? until : end }
  }

  private async incarnationAt(group: OutgoingGroup, seq: bigint): Promise<{ incarnation: number; last: bigint | null }> {
    if (group.incarnation === 1) return { incarnation: 1, last: null }
    return readIncarnation(this.pool, group.gid, seq)
  }
}
