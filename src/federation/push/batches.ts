import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import type { LogRow } from '../../delivery/read/entry.js'
import { findTree } from '../../groups/repository/states.repository.js'
import { PublicStates } from '../../groups/state/public-states.js'
import { LargeTrees } from '../../groups/state/trees/large-trees.js'
import { POOL } from '../../platform/postgres/sql.js'
import { KIND_OF_LETTER } from '../../protocol/log-chain.js'
import type { FanoutMessage } from '../../protocol/mimi/fanout-message.js'
import { signedHeadBytes } from '../../protocol/mimi/microchat/heads.js'
import type { NotifyBatch, NotifyEntry, NotifyWelcome } from '../../protocol/mimi/microchat/notify-batch.js'
import type { TreeOption } from '../../protocol/mimi/tree-option.js'
import { headOf } from '../evidence/signed-heads.js'
import { providerOf } from '../inbound/peer.js'
import { ProviderKeys } from '../identity/provider-keys.js'
import { readRosterChanges, readWelcomes, type OutgoingGroup, type OutgoingWelcome } from './outgoing.repository.js'
import { Runs, type Run } from './runs.js'

/** Bytes of a batch are those of its entries, Welcomes and trees; peers take bodies of 6 MiB (docs/federation-profile.md). */
const LIMITS = { entries: 128, entryBytes: 1024 * 1024, bytes: 4 * 1024 * 1024 }

export interface OutgoingBatch {
  readonly batch: NotifyBatch
  readonly lastSeq: bigint
  /** Of the group, as the batch says it. */
  readonly stops: number
}

/** Builds the next batch of a group for a peer: entries, changes of membership of its users, Welcomes for them. */
@Injectable()
export class Batches {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly runs: Runs,
    private readonly keys: ProviderKeys,
    private readonly states: PublicStates,
    private readonly trees: LargeTrees,
  ) {}

  /**
   * The next run after what the peer has acknowledged, or after a place that it names; undefined: it has everything. `share` is the part of
   * the usual size that the peer takes; a single entry and the Welcomes of its Commit cannot be divided.
   */
  async next(
    domain: string,
    gid: bigint,
    { after, share = 1 }: { after?: bigint; share?: number } = {},
  ): Promise<OutgoingBatch | undefined> {
    const limits = { entries: LIMITS.entries, bytes: LIMITS.entryBytes * share }
    const run = await this.runs.next(domain, gid, limits, after)
    return run && this.batch(domain, run, LIMITS.bytes * share)
  }

  private async batch(domain: string, run: Run, bytes: number): Promise<OutgoingBatch> {
    const changed = run.rows.some(({ kind }) => kind === 'c')
    const waiting = changed ? await this.waiting(domain, run) : []
    const { rows, left } = takeWhileFits(run.rows, waiting, bytes)
    const lastSeq = rows.at(-1)?.seq ?? run.firstSeq - 1n
    const { group, incarnation, gap, firstSeq, previousChain } = run
    const batch = {
      groupId: group.groupId,
      roomId: group.roomId,
      mode: group.mode,
      cipherSuite: group.cipherSuite,
      incarnation,
      postFloor: group.postFloor,
      frozen: group.frozen ?? 'no',
      successor: group.successorGroupId ?? undefined,
      gap,
      firstSeq,
      previousChain,
      entries: rows.map(entryOf),
      roster: changed ? await this.roster(domain, run, lastSeq) : [],
      welcomes: await this.welcomes(
        group,
        waiting.filter(({ seq }) => seq <= lastSeq),
        left,
      ),
    } as const
    return { batch: { ...batch, head: await this.sign(domain, batch, rows) }, lastSeq, stops: group.stops }
  }

  /** The head of a batch, for the one that gets it. */
  private async sign(domain: string, batch: Omit<NotifyBatch, 'head'>, rows: readonly LogRow[]): Promise<NotifyBatch['head']> {
    const signedAtMs = BigInt(Date.now())
    const parties = { hub: providerOf(batch.roomId) ?? '', follower: domain }
    const head = headOf(batch, rows, parties, signedAtMs)
    return { signedAtMs, ...(await this.keys.signBytes(signedHeadBytes(head))) }
  }

  private waiting(domain: string, { group, rows, firstSeq }: Run): Promise<OutgoingWelcome[]> {
    return readWelcomes(this.pool, domain, group.gid, firstSeq, rows.at(-1)?.seq ?? firstSeq)
  }

  private async roster(domain: string, { group, firstSeq }: Run, lastSeq: bigint): Promise<NotifyBatch['roster']> {
    const changes = await readRosterChanges(this.pool, domain, group.gid, firstSeq, lastSeq)
    return changes.map(({ seq, change, ended, client }) => ({ seq, change, ended: ended ?? 'none', client }))
  }

  /** The tree of an epoch goes with the first Welcome to it, if there is room; a joiner can also ask for it. */
  private async welcomes(group: OutgoingGroup, found: readonly OutgoingWelcome[], room: number): Promise<NotifyWelcome[]> {
    const told = new Set<bigint>()
    const welcomes: NotifyWelcome[] = []
    let left = room
    for (const { seq, epoch, bytes, expiresAt, clients } of found) {
      const full: TreeOption = told.has(epoch) ? NO_TREE : await this.tree(group, epoch)
      told.add(epoch)
      const size = full.kind === 'full' ? full.tree.length : 0
      const tree = size > left ? NO_TREE : full
      if (tree === full) left -= size
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
    return stored ? { kind: 'full', tree: stored } : NO_TREE
  }
}

function entryOf({ kind, epoch, acceptedAt, bytes }: LogRow): NotifyEntry {
  const message: FanoutMessage = { acceptedAtMs: BigInt(acceptedAt.getTime()), message: bytes, kind: KIND_OF_LETTER[kind], proposals: [] }
  return { kind: KIND_OF_LETTER[kind], epoch, message }
}

const NO_TREE = { kind: 'distribution-service' } as const

type Addressed = Pick<OutgoingWelcome, 'seq' | 'bytes' | 'clients'>

/** As many of the rows as fit into `bytes` with their Welcomes, and at least one; `left` is the room that remains. */
export function takeWhileFits<Row extends Pick<LogRow, 'seq' | 'bytes'>>(
  rows: readonly Row[],
  welcomes: readonly Addressed[],
  bytes: number,
): { rows: readonly Row[]; left: number } {
  let left = bytes
  for (const [index, row] of rows.entries()) {
    const size = row.bytes.length + sum(welcomes.filter(({ seq }) => seq === row.seq).map(sizeOf))
    if (size > left && index > 0) return { rows: rows.slice(0, index), left }
    left -= size
  }
  return { rows, left }
}

function sizeOf({ bytes, clients }: Addressed): number {
  return bytes.length + sum(clients.map(({ length }) => length))
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0)
}
