import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import type { LogRow } from '../../delivery/read/log-row.js'
import { findTree } from '../../groups/repository/states.repository.js'
import { PublicStates } from '../../groups/state/public-states.js'
import { LargeTrees } from '../../groups/state/trees/large-trees.js'
import { POOL } from '../../platform/postgres/sql.js'
import type { FanoutMessage } from '../../protocol/mimi/fanout-message.js'
import { signedHeadBytes, type NotifyBatch, type NotifyEntry, type NotifyWelcome } from '../../protocol/mimi/microchat/notify-batch.js'
import type { TreeOption } from '../../protocol/mimi/tree-option.js'
import { ProviderKeys } from '../identity/provider-keys.js'
import { readChain, readOutgoingGroup, readRosterChanges, readRun, readWelcomes, type OutgoingGroup } from './outgoing.repository.js'

/** Bytes are those of the entries; a Welcome's tree may come on top. */
const LIMITS = { entries: 128, bytes: 1024 * 1024 }

const KINDS = { c: 'commit', p: 'proposal', a: 'application' } as const

export interface OutgoingBatch {
  readonly batch: NotifyBatch
  readonly lastSeq: bigint
}

/** A run of entries, and where it stands. */
interface Run {
  readonly group: OutgoingGroup
  readonly rows: readonly LogRow[]
  readonly gap: NotifyBatch['gap']
  readonly firstSeq: bigint
  readonly lastSeq: bigint
}

/** What a peer has not stored of a group, made ready to be sent: entries, who of its users came and went, Welcomes for them. */
@Injectable()
export class Batches {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly keys: ProviderKeys,
    private readonly states: PublicStates,
    private readonly trees: LargeTrees,
  ) {}

  /** The next run after what the peer has acknowledged, or after a place that it names. Undefined: it is level. */
  async next(domain: string, gid: bigint, after?: bigint): Promise<OutgoingBatch | undefined> {
    const group = await readOutgoingGroup(this.pool, domain, gid)
    if (!group) return undefined
    const earliest = group.fromSeq - 1n
    const from = after === undefined ? group.acked : after < earliest ? earliest : after
    const run = await this.run(group, from)
    return run && { batch: await this.batch(domain, run), lastSeq: run.lastSeq }
  }

  private async run(group: OutgoingGroup, after: bigint): Promise<Run | undefined> {
    const end = group.untilSeq ?? group.headSeq
    const reborn = group.incarnation !== group.toldIncarnation && group.untilSeq === null
    if (after >= end) return reborn ? { group, rows: [], gap: 'none', firstSeq: end + 1n, lastSeq: end } : undefined
    const found = await readRun(this.pool, group.gid, after, end, LIMITS)
    const [first] = found
    // Everything up to the end has been retired.
    if (!first) return { group, rows: [], gap: 'retired', firstSeq: end + 1n, lastSeq: end }
    const rows = found.filter(({ seq }, index) => seq === first.seq + BigInt(index))
    const returned = after + 1n === group.fromSeq
    const gap = first.seq > after + 1n ? 'retired' : returned ? 'rejoined' : 'none'
    return { group, rows, gap, firstSeq: first.seq, lastSeq: first.seq + BigInt(rows.length - 1) }
  }

  private async batch(domain: string, run: Run): Promise<NotifyBatch> {
    const { group, rows, gap, firstSeq, lastSeq } = run
    const previousChain = await this.previousChain(run)
    const chain = rows.at(-1)?.chain ?? previousChain
    const { keyId, signature } = await this.keys.signBytes(
      signedHeadBytes({ groupId: group.groupId, incarnation: group.incarnation, seq: lastSeq, chain }),
    )
    const changed = rows.some(({ kind }) => kind === 'c')
    return {
      groupId: group.groupId,
      roomId: group.roomId,
      mode: group.mode,
      cipherSuite: group.cipherSuite,
      incarnation: group.incarnation,
      postFloor: group.postFloor,
      frozen: group.frozen ?? 'no',
      successor: group.successorGroupId ?? undefined,
      gap,
      firstSeq,
      previousChain,
      entries: rows.map(entryOf),
      roster: changed ? await this.roster(domain, run) : [],
      welcomes: changed ? await this.welcomes(domain, run) : [],
      head: { keyId, signature },
    }
  }

  private async previousChain({ group, rows, gap, firstSeq }: Run): Promise<Uint8Array> {
    const [first] = rows
    if (!first) return group.headChain
    if (gap === 'retired') return first.chain
    return (await readChain(this.pool, group.gid, firstSeq - 1n)) ?? first.chain
  }

  private async roster(domain: string, { group, firstSeq, lastSeq }: Run): Promise<NotifyBatch['roster']> {
    const changes = await readRosterChanges(this.pool, domain, group.gid, firstSeq, lastSeq)
    return changes.map(({ seq, change, ended, client }) => ({ seq, change, ended: ended ?? 'none', client }))
  }

  /** The tree of an epoch goes with the first Welcome to it. */
  private async welcomes(domain: string, { group, firstSeq, lastSeq }: Run): Promise<NotifyWelcome[]> {
    const found = await readWelcomes(this.pool, domain, group.gid, firstSeq, lastSeq)
    const told = new Set<bigint>()
    const welcomes: NotifyWelcome[] = []
    for (const { seq, epoch, bytes, expiresAt, clients } of found) {
      const tree: TreeOption = told.has(epoch) ? { kind: 'distribution-service' } : await this.tree(group, epoch)
      told.add(epoch)
      const message = { acceptedAtMs: BigInt(Date.now()), message: bytes, kind: 'welcome', tree, proposals: [] } as const
      welcomes.push({ seq, epoch, expiresAtMs: BigInt(expiresAt.getTime()), clients, message })
    }
    return welcomes
  }

  private async tree(group: OutgoingGroup, epoch: bigint): Promise<TreeOption> {
    if (group.mode === 'public') {
      const { state } = await this.states.at({ ...group, epoch })
      return { kind: 'full', tree: await this.trees.treeBytes(state) }
    }
    const stored = await findTree(this.pool, group.gid, epoch)
    return stored ? { kind: 'full', tree: stored } : { kind: 'distribution-service' }
  }
}

function entryOf({ kind, epoch, acceptedAt, bytes }: LogRow): NotifyEntry {
  const message: FanoutMessage = { acceptedAtMs: BigInt(acceptedAt.getTime()), message: bytes, kind: KINDS[kind], proposals: [] }
  return { kind: KINDS[kind], epoch, message }
}
