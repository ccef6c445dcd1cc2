import { Inject, Injectable } from '@nestjs/common'
import { DatabaseError, type Pool } from 'pg'
import { withholdReplica } from '../../../groups/blocks/blocks.repository.js'
import { followGroup } from '../../../groups/home/homes.repository.js'
import { rowOfGroup } from '../../../groups/repository/group-row.js'
import type { LogRow } from '../../../delivery/read/entry.js'
import { Undecodable } from '../../../platform/http/problem.js'
import { POOL, transaction, type Sql } from '../../../platform/postgres/sql.js'
import { sameBytes } from '../../../protocol/bytes.js'
import type { NotifyBatch } from '../../../protocol/mimi/microchat/notify-batch.js'
import type { NotifyResponse } from '../../../protocol/mimi/microchat/notify-response.js'
import { keepContradiction, keepOtherMode, keepOtherRoom } from '../../evidence/findings.js'
import { keepHead, latestHead } from '../../evidence/kept-heads.repository.js'
import { SignedHeads, type CheckedHead } from '../../evidence/signed-heads.js'
import { providerOf, type Peer } from '../../inbound/peer.js'
import { BatchRefused, HomeElsewhere } from '../../inbound/inbound.problems.js'
import { ReplicaQuota } from '../../quotas/replica-quota.js'
import { chainEntries } from './batch-entries.js'
import { Joins, type OwnChanges } from './joins.js'
import { beginIncarnation } from './new-incarnation.js'
import { placeBatch, type Placement } from './place-batch.js'
import { ReplicaNews, type Received } from './replica-news.js'
import { applyMemberChanges, markUsed, storeWelcomes } from './replica-members.repository.js'
import {
  appendEntries,
  chainsOf,
  createReplica,
  followStop,
  jumpTo,
  lockHome,
  lockReplica,
  moveHead,
  type GroupAtHub,
  type HomeOfReplica,
  type Replica,
} from './replica.repository.js'

interface Checked {
  readonly batch: NotifyBatch
  readonly entries: readonly LogRow[]
  readonly changes: OwnChanges
  readonly head: CheckedHead
  /** The batch does not continue what is stored. */
  readonly begins?: boolean
}

/** A replica as it is before what is appended. */
type Continued = Pick<Replica, 'gid' | 'incarnation' | 'headSeq' | 'frozen' | 'successorGroupId' | 'hasLocalMembers'>

/** Copies of the logs of groups at other hubs, for the local devices that are members. */
@Injectable()
export class Replicas {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly heads: SignedHeads,
    private readonly joins: Joins,
    private readonly quota: ReplicaQuota,
    private readonly news: ReplicaNews,
  ) {}

  /** The same of a batch that was fetched, which is this many bytes. Undefined: no more of the hub is stored for now. */
  fetched(hub: Peer, batch: NotifyBatch, bytes: number): Promise<NotifyResponse | undefined> {
    return this.quota.fetched(hub.domain, bytes, () => this.receive(hub, batch))
  }

  /** Stores what continues the replica, all of a batch or nothing; a repetition changes nothing. */
  async receive(hub: Peer, batch: NotifyBatch): Promise<NotifyResponse> {
    if (providerOf(batch.roomId) !== hub.domain) throw new HomeElsewhere()
    const checked = chainEntries(batch)
    if (checked.kind === 'wrong') throw new BatchRefused(checked.why)
    if (checked.kind === 'undecodable') throw new Undecodable(`The batch is refused: ${checked.reason}.`)
    const head = await this.heads.require(hub, batch, checked.entries)
    const changes = await this.joins.of(batch, checked.entries)
    const signed = { batch, entries: checked.entries, changes, head }
    const received = await transaction(this.pool, (sql) => this.store(sql, signed), {
      row: rowOfGroup(Buffer.concat([Buffer.from(hub.domain), batch.groupId])),
    }).catch((error: unknown) => this.refused(error, head))
    this.news.publish(received, batch.entries.length)
    return received.response
  }

  /** A group that is at home in another room of the same hub: that is a contradiction of the hub's, and kept as one. */
  private async refused(error: unknown, head: CheckedHead): Promise<never> {
    if (error instanceof HomeElsewhere && (await keepOtherRoom(this.pool, head))) this.news.equivocated('two-rooms')
    if (isSecondCommit(error)) throw new BatchRefused('two Commits in it, or it and an earlier one, are of one epoch')
    return this.quota.refused(error, head.statement.hub)
  }

  private async store(sql: Sql, checked: Checked): Promise<Received> {
    const { batch, entries, changes, head } = checked
    const begins = changes.members.some(({ change, seq }) => change === 'joined' && seq === batch.firstSeq)
    const group = { hub: head.statement.hub, mlsGroupId: batch.groupId }
    const home = await this.home(sql, group, batch.roomId, begins)
    const replica = home && (await lockReplica(sql, group))
    if (home?.stopped || home?.deleted) return answer('stopped', replica)
    if (!replica) return home && begins ? this.found(sql, home.groupId, checked) : notHere(checked)
    if (replica.deleted) return answer('stopped', replica)
    const kept = await latestHead(sql, replica.gid)
    if (kept && kept.statement.mode !== head.statement.mode) {
      await keepOtherMode(sql, replica.gid, kept, head)
      this.news.equivocated('two-modes')
      return answer('stopped', replica)
    }
    const chains = await chainsOf(sql, replica.gid, batch.firstSeq - 1n, batch.firstSeq + BigInt(entries.length))
    const placement = placeBatch(replica, batch, entries, (seq) => (seq === replica.headSeq ? replica.headChain : chains.get(seq)))
    return this.place(sql, replica, placement, checked)
  }

  /** What is known of the group at this hub; nothing is written down of one that no device here has joined. @throws HomeElsewhere */
  private async home(sql: Sql, group: GroupAtHub, roomId: string, begins: boolean): Promise<HomeOfReplica | undefined> {
    // Another batch may do so at the same time. What only looks at the room is no room yet.
    if (begins) await followGroup(sql, { ...group, roomId }, 'joined')
    const home = await lockHome(sql, group)
    // What a hub of the draft has sent is not signed: what is signed cannot follow it, nor the other way round.
    if (home && (home.roomId !== roomId || home.dialect !== 'profile')) throw new HomeElsewhere()
    return home
  }

  /** The first batch of a group begins with the Commit that brought the first local member in. */
  private async found(sql: Sql, address: Uint8Array, checked: Checked): Promise<Received> {
    const { batch, entries } = checked
    const gid = await createReplica(sql, {
      groupId: address,
      mlsGroupId: batch.groupId,
      roomId: batch.roomId,
      incarnation: batch.incarnation,
      mode: batch.mode,
      cipherSuite: batch.cipherSuite,
      epoch: entries[0]?.epoch ?? 0n,
      headSeq: batch.firstSeq - 1n,
      headChain: batch.previousChain,
    })
    const head = { incarnation: batch.incarnation, headSeq: batch.firstSeq - 1n }
    return this.append(sql, { gid, ...head, frozen: null, successorGroupId: null, hasLocalMembers: false }, checked, entries)
  }

  private async place(sql: Sql, replica: Replica, placement: Placement, checked: Checked): Promise<Received> {
    const { batch, entries } = checked
    switch (placement.kind) {
      case 'have':
        return answer('have', replica)
      case 'contradiction':
        return this.contradicted(sql, replica, placement.at, checked)
      case 'append':
        return this.append(sql, replica, checked, entries.slice(placement.from))
      case 'jump': {
        await jumpTo(sql, replica.gid, batch.firstSeq - 1n, batch.previousChain)
        return this.append(sql, { ...replica, headSeq: batch.firstSeq - 1n }, { ...checked, begins: true }, entries)
      }
      case 'reincarnate':
        return this.reincarnate(sql, replica, checked)
    }
  }

  private async reincarnate(sql: Sql, replica: Replica, checked: Checked): Promise<Received> {
    const { batch, entries } = checked
    const begun = await beginIncarnation(sql, replica, checked)
    if (begun.kind === 'stopped') {
      this.news.stopped('rewritten')
      return answer('stopped', replica)
    }
    this.news.incarnationBegun(begun.vanished)
    const now = { ...replica, incarnation: batch.incarnation, headSeq: batch.firstSeq - 1n }
    const received = await this.append(sql, now, { ...checked, begins: true }, entries)
    return { ...received, told: [...begun.told, ...received.told] }
  }

  private async append(sql: Sql, replica: Continued, checked: Checked, fresh: readonly LogRow[]): Promise<Received> {
    const { batch, changes, head, begins = false } = checked
    const { gid, incarnation, headSeq, hasLocalMembers } = replica
    const last = fresh.at(-1)
    if (!last) {
      // A repetition is of an earlier time: only what ends where the replica does says how it stands.
      const told = batch.firstSeq + BigInt(batch.entries.length) === headSeq + 1n ? await followNews(sql, replica, batch) : []
      return { response: { code: 'received', incarnation, receivedThrough: headSeq }, gid, told }
    }
    const group = { gid, roomId: batch.roomId, hasLocalMembers }
    const { welcomes, refs, members, unproven } = await this.joins.prove(sql, group, changes, headSeq)
    if (unproven > 0) this.news.unproven(unproven)
    const joining = members.find(({ change }) => change === 'joined')?.deviceId
    await this.quota.admit(sql, { gid, hub: providerOf(batch.roomId) ?? '', headSeq }, { entries: fresh, joining, welcomes })
    await appendEntries(sql, gid, fresh)
    await applyMemberChanges(sql, gid, members)
    await withholdReplica(sql, gid, refs)
    await storeWelcomes(sql, gid, welcomes)
    await markUsed(sql, refs)
    const lastCommit = fresh.findLast(({ kind }) => kind === 'c')
    await moveHead(sql, gid, {
      headSeq: last.seq,
      headChain: last.chain,
      epoch: lastCommit ? lastCommit.epoch + 1n : null,
      postFloor: batch.postFloor,
    })
    const stopped = await followNews(sql, replica, batch)
    await keepHead(sql, gid, head, begins)
    const told = [...stopped, ...welcomes.flatMap(({ deviceIds }) => deviceIds), ...changes.members.map(({ deviceId }) => deviceId)]
    return { response: { code: 'received', incarnation, receivedThrough: last.seq }, gid, told }
  }

  private async contradicted(sql: Sql, replica: Replica, at: number, checked: Checked): Promise<Received> {
    // The entry after a gap contradicts the place before it.
    const index = checked.batch.gap === 'retired' && at === 0 ? -1 : at
    const seq = checked.batch.firstSeq + BigInt(index)
    const chain = seq === replica.headSeq ? replica.headChain : (await chainsOf(sql, replica.gid, seq, seq)).get(seq)
    await keepContradiction(sql, replica.gid, { seq, chain: chain ?? replica.headChain }, at, checked)
    this.news.equivocated('two-histories')
    this.news.stopped('equivocation')
    return answer('stopped', replica)
  }
}

/** The log takes one Commit of an epoch. */
function isSecondCommit(error: unknown): boolean {
  return error instanceof DatabaseError && error.code === '23505' && /^log_.*gid_epoch_idx$/.test(error.constraint ?? '')
}

/** Most batches say nothing new of that, and cost nothing. @returns devices that hear of it */
async function followNews(sql: Sql, replica: Continued, batch: NotifyBatch): Promise<readonly bigint[]> {
  const known = (replica.frozen ?? 'no') === batch.frozen && sameOrNone(replica.successorGroupId, batch.successor)
  return known ? [] : followStop(sql, replica.gid, batch)
}

function sameOrNone(one: Uint8Array | null, other: Uint8Array | undefined): boolean {
  return one && other ? sameBytes(one, other) : !one && !other
}

/**
 * Of a group that is not here, or not any more, nothing but a Commit by which a device here joins can be the first: the hub is told where the first of
 * those in the batch is. Without one it hears that there is nothing, and what it sends then shows that it has none, or is refused.
 */
function notHere({ batch, changes }: Checked): Received {
  const [first] = changes.joins
  const place = first ? { incarnation: batch.incarnation, receivedThrough: first.seq - 1n } : { incarnation: 0, receivedThrough: 0n }
  return { response: { code: 'have', ...place }, told: [] }
}

function answer(code: 'have' | 'stopped', replica: Replica | undefined): Received {
  return { response: { code, incarnation: replica?.incarnation ?? 0, receivedThrough: replica?.headSeq ?? 0n }, told: [] }
}
