import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import type { LogRow } from '../../../delivery/read/entry.js'
import type { Accepted } from '../../../groups/groups.dto.js'
import { Hints } from '../../../platform/hints/hints.js'
import { decodeIncoming } from '../../../platform/http/incoming-message.js'
import { Unavailable } from '../../../platform/http/problem.js'
import { POOL, transaction, type Sql } from '../../../platform/postgres/sql.js'
import { sameBytes } from '../../../protocol/bytes.js'
import { extendChain, LETTER_OF_KIND, type LogKind } from '../../../protocol/log-chain.js'
import type { MlsMessage } from '../../../protocol/mls/message.js'
import { namedIdentity } from '../../../protocol/mls/structures/credential.js'
import { sha256 } from '../../../protocol/sha256.js'
import { applyMemberChanges, type MemberChange } from '../../follower/replica/replica-members.repository.js'
import { appendEntries, moveHead } from '../../follower/replica/replica.repository.js'
import { BatchRefused } from '../../inbound/inbound.problems.js'
import { joinerIn } from '../../joins/own-joins.js'
import {
  draftMembers,
  forgetLeaves,
  hasCommitOf,
  lockDraftRoom,
  noteLeaf,
  placeOf,
  proposalsOf,
  readDraftReplica,
  type DraftReplica,
} from './draft-replica.repository.js'
import type { DraftRoom } from './draft-room.js'
import { leavesRemovedBy } from './own-leaves.js'

/** A message of a group's log. */
export interface DraftEntry {
  readonly kind: LogKind
  /** MLSMessage. */
  readonly bytes: Uint8Array
  /** As the hub says; nothing later than now counts. */
  readonly acceptedAtMs: bigint
  /** The device here that sent it, and the hub has taken it. */
  readonly sender?: { readonly deviceId: bigint; readonly client: string }
}

type Placed = Accepted & { readonly gid: bigint }
type Framed = Extract<MlsMessage['body'], { groupId: Uint8Array }>

const INCARNATION = 1

/**
 * Replicas of groups whose hubs speak nothing but the draft: their messages in the order in which Commits make sense, numbered here. There is no chain of
 * the hub to compare with, nor anything that it has signed.
 */
@Injectable()
export class DraftReplicas {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly hints: Hints,
  ) {}

  /** Where these bytes stand in the replica, if they are there. */
  async find(room: DraftRoom, bytes: Uint8Array): Promise<Accepted | undefined> {
    const replica = await readDraftReplica(this.pool, room.groupId, room.hub, room.roomId)
    const known = replica && (await placeOf(this.pool, replica.gid, sha256(bytes)))
    return known && { ...known, incarnation: INCARNATION }
  }

  /**
   * Stores a message once. Undefined if it belongs to nothing that is followed here, or is of no use any more.
   * @throws BatchRefused for what cannot be of the group; Unavailable for what comes too early: the hub is to send it again
   */
  async place(room: DraftRoom, entry: DraftEntry): Promise<Accepted | undefined> {
    const decoded = decodeIncoming(entry.bytes)
    const body = decoded.kind === 'decoded' && 'groupId' in decoded.value.body ? decoded.value.body : undefined
    if (!body) throw new BatchRefused('a message is no MLSMessage of a group')
    if (!sameBytes(body.groupId, room.groupId)) throw new BatchRefused('a message is of another group than the room has')
    const placed = await transaction(this.pool, async (sql) => {
      await lockDraftRoom(sql, room.roomId)
      const replica = await readDraftReplica(sql, room.groupId, room.hub, room.roomId)
      return replica && !replica.deleted ? this.append(sql, replica, entry, body) : undefined
    })
    if (!placed) return undefined
    const { gid, ...accepted } = placed
    this.hints.publish([{ kind: 'group', gid, headSeq: accepted.seq }])
    return accepted
  }

  private async append(sql: Sql, replica: DraftReplica, entry: DraftEntry, body: Framed): Promise<Placed | undefined> {
    const { gid } = replica
    const hash = sha256(entry.bytes)
    const known = await placeOf(sql, gid, hash)
    if (known) return { gid, ...known, incarnation: INCARNATION }
    // A Commit has shown in which epoch the group is; a Welcome does not.
    const epochKnown = await hasCommitOf(sql, gid, replica.epoch - 1n)
    if (epochKnown && !isInTime(replica.epoch, entry.kind, body.epoch)) return undefined
    const seq = replica.headSeq + 1n
    const chain = extendChain(replica.headChain, { seq, kind: entry.kind, epoch: body.epoch, hash })
    const acceptedAt = new Date(Math.min(Number(entry.acceptedAtMs), Date.now()))
    const row: LogRow = { seq, kind: LETTER_OF_KIND[entry.kind], epoch: body.epoch, acceptedAt, hash, chain, bytes: entry.bytes }
    const changes = entry.kind === 'commit' ? await changesBy(sql, replica, { seq, entry, body }) : []
    await appendEntries(sql, gid, [row])
    await applyMemberChanges(sql, gid, changes)
    await forgetLeaves(
      sql,
      gid,
      changes.flatMap(({ change, deviceId }) => (change === 'left' ? [deviceId] : [])),
    )
    const epoch = entry.kind === 'commit' ? body.epoch + 1n : body.epoch > replica.epoch ? body.epoch : null
    await moveHead(sql, gid, { headSeq: seq, headChain: chain, epoch, postFloor: replica.postFloor })
    await noteSender(sql, gid, entry, body)
    return { gid, seq, epoch: epoch ?? replica.epoch, incarnation: INCARNATION, chain }
  }
}

/**
 * Commits come one per epoch, in order; the rest of an epoch after the Commit that made it.
 * @returns false for what is of no use any more @throws BatchRefused, Unavailable
 */
function isInTime(epoch: bigint, kind: LogKind, of: bigint): boolean {
  if (of > epoch) throw new Unavailable('What comes before this has not arrived yet.')
  if (of === epoch || kind === 'application') return true
  if (kind === 'commit') throw new BatchRefused('there is another Commit of this epoch')
  return false
}

/** Devices here that a Commit takes out, and the one that it brings in from outside. */
async function changesBy(
  sql: Sql,
  { gid, cipherSuite }: DraftReplica,
  { seq, entry, body }: { seq: bigint; entry: DraftEntry; body: Framed },
): Promise<MemberChange[]> {
  if (!('sender' in body)) return []
  const removed = leavesRemovedBy(body, await proposalsOf(sql, gid, body.epoch), cipherSuite)
  const epoch = body.epoch + 1n
  const joiner = joinerIn(entry.bytes)
  const isOwn = joiner !== undefined && namedIdentity(joiner.credential) === entry.sender?.client
  const joined = isOwn ? entry.sender?.deviceId : undefined
  const gone = (await draftMembers(sql, gid)).flatMap(({ deviceId, leafIndex }): MemberChange[] => {
    const ended = leafIndex === null ? undefined : removed.get(leafIndex)
    return ended && deviceId !== joined ? [{ deviceId, seq, change: 'left', epoch, ended }] : []
  })
  return joined === undefined ? gone : [...gone, { deviceId: joined, seq, change: 'joined', epoch, ended: 'resync' }]
}

/** A handshake shows the leaf of its sender; that of one who joins from outside is known only when it sends the next one. */
async function noteSender(sql: Sql, gid: bigint, entry: DraftEntry, body: Framed): Promise<void> {
  if (!entry.sender || !('sender' in body)) return
  const { deviceId } = entry.sender
  const { sender } = body
  if (sender.kind === 'member') await noteLeaf(sql, gid, deviceId, sender.leafIndex)
  if (sender.kind === 'new-member-commit') await noteLeaf(sql, gid, deviceId, null)
}
