import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { resolveClients } from '../../../authentication/directory/directory.repository.js'
import type { LogRow } from '../../../delivery/read/entry.js'
import type { Accepted } from '../../../groups/groups.dto.js'
import { CONFIG, type Config } from '../../../platform/config/config.js'
import { Hints } from '../../../platform/hints/hints.js'
import { decodeIncoming } from '../../../platform/http/incoming-message.js'
import { Unavailable } from '../../../platform/http/problem.js'
import { POOL, type Sql } from '../../../platform/postgres/sql.js'
import { sameBytes } from '../../../protocol/bytes.js'
import { parseClientUri } from '../../../protocol/identifiers.js'
import { extendChain, LETTER_OF_KIND, type LogKind } from '../../../protocol/log-chain.js'
import type { MlsMessage } from '../../../protocol/mls/message.js'
import { namedIdentity } from '../../../protocol/mls/structures/credential.js'
import { sha256 } from '../../../protocol/sha256.js'
import { MAX_NUMBER } from '../../follower/replica/batch-entries.js'
import { applyMemberChanges, type MemberChange } from '../../follower/replica/replica-members.repository.js'
import { appendEntries, moveHead } from '../../follower/replica/replica.repository.js'
import { BatchRefused, HomeElsewhere } from '../../inbound/inbound.problems.js'
import { spendPassedCommits, type JoinedGroup } from '../../joins/join-proofs.repository.js'
import { joinerIn } from '../../joins/own-joins.js'
import { ReplicaQuota } from '../../quotas/replica-quota.js'
import { draftMembers, forgetLeaves, noteOutsider, noteShownLeaf } from './draft-members.repository.js'
import {
  findDraftReplica,
  hasCommitOf,
  isSigned,
  placeOf,
  proposalsOf,
  readDraftReplica,
  type DraftReplica,
} from './draft-replica.repository.js'
import type { DraftRoom } from './draft-room.js'
import { DraftRooms } from './draft-rooms.js'
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

export type Placed = Accepted & { readonly gid: bigint }
type Framed = Extract<MlsMessage['body'], { groupId: Uint8Array }>
type ReplicaOfRoom = DraftReplica & DraftRoom

const INCARNATION = 1

/** What is to be stored, and where it belongs. */
export interface DraftMessage extends DraftEntry {
  readonly body: Framed
  /** SHA-256 of `bytes`. */
  readonly hash: Uint8Array
}

/**
 * Replicas of groups whose hubs speak nothing but the draft: their messages in the order in which Commits make sense, numbered here. There is no chain of
 * the hub to compare with, nor anything that it has signed.
 */
@Injectable()
export class DraftReplicas {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly rooms: DraftRooms,
    private readonly quota: ReplicaQuota,
    private readonly hints: Hints,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
  ) {}

  /** Where these bytes stand in the replica, if they are there. */
  async find(room: DraftRoom, bytes: Uint8Array): Promise<Accepted | undefined> {
    const gid = await this.gidOf(room)
    const known = gid === undefined ? undefined : await placeOf(this.pool, gid, sha256(bytes))
    return known && { ...known, incarnation: INCARNATION }
  }

  /** The row of the room's replica. */
  gidOf({ groupId, hub, roomId }: DraftRoom): Promise<bigint | undefined> {
    return findDraftReplica(this.pool, groupId, hub, roomId)
  }

  /**
   * Stores a message once. Undefined if it belongs to nothing that is followed here, or is of no use any more.
   * @throws BatchRefused for what cannot be of the group; Unavailable for what comes too early: the hub is to send it again; HeldBack
   */
  async place(room: DraftRoom, entry: DraftEntry): Promise<Accepted | undefined> {
    const message = readEntry(room, entry)
    const placed = await this.rooms
      .run(room, (sql) => this.placeIn(sql, room, message))
      .catch((error: unknown) => this.quota.refused(error, room.hub))
    if (!placed) return undefined
    const { gid, ...accepted } = placed
    this.hints.publish([{ kind: 'group', gid, headSeq: accepted.seq }])
    return accepted
  }

  /** The same in a transaction that holds the room. Nothing is written where it throws. */
  async placeIn(sql: Sql, room: DraftRoom, message: DraftMessage): Promise<Placed | undefined> {
    const replica = await readDraftReplica(sql, room.groupId, room.hub, room.roomId)
    if (!replica) return this.refuseOther(sql, room)
    return replica.deleted ? undefined : this.append(sql, { ...room, ...replica }, message)
  }

  /** @throws HomeElsewhere if the group is followed here, by entries that its hub has signed: what it does not sign cannot be among them */
  private async refuseOther(sql: Sql, room: DraftRoom): Promise<undefined> {
    if (await isSigned(sql, room.groupId, room.hub)) throw new HomeElsewhere()
  }

  private async append(sql: Sql, replica: ReplicaOfRoom, message: DraftMessage): Promise<Placed | undefined> {
    const { gid, hub, headSeq } = replica
    const { kind, hash, bytes, body } = message
    const known = await placeOf(sql, gid, hash)
    if (known) {
      await noteSender(sql, gid, message)
      return { gid, ...known, incarnation: INCARNATION }
    }
    // A Commit has shown in which epoch the group is; a Welcome does not.
    const epochKnown = await hasCommitOf(sql, gid, replica.epoch - 1n)
    if (!isInTime(replica.epoch, kind, body.epoch, epochKnown)) return undefined
    const seq = headSeq + 1n
    const chain = extendChain(replica.headChain, { seq, kind, epoch: body.epoch, hash })
    const acceptedAt = new Date(Math.min(Number(message.acceptedAtMs), Date.now()))
    const row: LogRow = { seq, kind: LETTER_OF_KIND[kind], epoch: body.epoch, acceptedAt, hash, chain, bytes }
    await this.quota.admit(sql, { gid, hub, headSeq }, { entries: [row], joining: undefined, welcomes: [] })
    const changes = kind === 'commit' ? await changesBy(sql, this.config.DOMAIN, replica, seq, message) : []
    await appendEntries(sql, gid, [row])
    await applyMemberChanges(sql, gid, changes)
    const left = changes.filter(({ change }) => change === 'left')
    await forgetLeaves(
      sql,
      gid,
      left.map(({ deviceId }) => deviceId),
    )
    const epoch = kind === 'commit' ? body.epoch + 1n : body.epoch > replica.epoch ? body.epoch : null
    await moveHead(sql, gid, { headSeq: seq, headChain: chain, epoch, postFloor: replica.postFloor })
    for (const { deviceId, change } of changes) if (change === 'joined') await noteOutsider(sql, gid, deviceId)
    await noteSender(sql, gid, message)
    return { gid, seq, epoch: epoch ?? replica.epoch, incarnation: INCARNATION, chain }
  }
}

/** @throws BatchRefused for what is no MLSMessage of the room's group */
export function readEntry(room: DraftRoom, entry: DraftEntry): DraftMessage {
  const decoded = decodeIncoming(entry.bytes)
  const body = decoded.kind === 'decoded' && 'groupId' in decoded.value.body ? decoded.value.body : undefined
  if (!body) throw new BatchRefused('a message is no MLSMessage of a group')
  if (!sameBytes(body.groupId, room.groupId)) throw new BatchRefused('a message is of another group than the room has')
  // What a Commit makes of it has to be a number of JSON, too.
  if (body.epoch >= MAX_NUMBER - 1n) throw new BatchRefused('an epoch is out of range')
  return { ...entry, body, hash: sha256(entry.bytes) }
}

/**
 * Commits come one per epoch, in order; the rest of an epoch after the Commit that made it. The epoch of a group never falls.
 * @param isKnown that of the group is known by a Commit; otherwise anything may show a later one
 * @returns false for what is of no use any more @throws BatchRefused, Unavailable
 */
function isInTime(epoch: bigint, kind: LogKind, of: bigint, isKnown: boolean): boolean {
  if (of > epoch && isKnown) throw new Unavailable('What comes before this has not arrived yet.')
  if (of >= epoch || kind === 'application') return true
  if (kind === 'commit') throw new BatchRefused('there is another Commit of this epoch, or of a later one')
  return false
}

/** Devices here that a Commit takes out, and the one that it brings in from outside. */
async function changesBy(
  sql: Sql,
  domain: string,
  { gid, roomId, cipherSuite }: ReplicaOfRoom,
  seq: bigint,
  message: DraftMessage,
): Promise<MemberChange[]> {
  const { body } = message
  if (!('sender' in body)) return []
  const removed = leavesRemovedBy(body, await proposalsOf(sql, gid, body.epoch), cipherSuite)
  const epoch = body.epoch + 1n
  const joined = await joinedBy(sql, domain, { gid, roomId, seq }, message)
  const gone = (await draftMembers(sql, gid)).flatMap(({ deviceId, leafIndex }): MemberChange[] => {
    const ended = leafIndex === null ? undefined : removed.get(leafIndex)
    return ended && deviceId !== joined ? [{ deviceId, seq, change: 'left', epoch, ended }] : []
  })
  return joined === undefined ? gone : [...gone, { deviceId: joined, seq, change: 'joined', epoch, ended: 'resync' }]
}

/**
 * The device here that comes in from outside by a Commit: one that was passed on for it to this room, whether the hub's answer comes first or its fan-out.
 * @throws BatchRefused for a Commit that names a device here, and that no device here has sent: its hub has forged it
 */
async function joinedBy(
  sql: Sql,
  domain: string,
  { seq, ...group }: JoinedGroup & { readonly seq: bigint },
  { bytes, hash }: DraftMessage,
): Promise<bigint | undefined> {
  const joiner = joinerIn(bytes)
  const client = joiner && namedIdentity(joiner.credential)
  if (client === undefined || parseClientUri(client)?.domain !== domain) return undefined
  const device = (await resolveClients(sql, [client])).get(client)
  const [join] = device ? await spendPassedCommits(sql, group, [{ deviceId: device.deviceId, seq, hash }]) : []
  if (!join) throw new BatchRefused('nobody here has sent the Commit by which a device here joins')
  return join.deviceId
}

/** A handshake of a member shows its leaf. That of one who joins from outside is known only when it sends the next one. */
async function noteSender(sql: Sql, gid: bigint, { sender, body }: DraftMessage): Promise<void> {
  if (sender && 'sender' in body && body.sender.kind === 'member') await noteShownLeaf(sql, gid, sender.deviceId, body.sender.leafIndex)
}
