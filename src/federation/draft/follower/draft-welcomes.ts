import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { clientsOf } from '../../../authentication/directory/directory.repository.js'
import { withholdReplica } from '../../../groups/blocks/blocks.repository.js'
import { followGroup } from '../../../groups/home/homes.repository.js'
import { LargeTrees } from '../../../groups/state/trees/large-trees.js'
import { decodeIncoming } from '../../../platform/http/incoming-message.js'
import { POOL, type Sql } from '../../../platform/postgres/sql.js'
import { initialChain } from '../../../protocol/log-chain.js'
import type { FanoutMessage } from '../../../protocol/mimi/fanout-message.js'
import type { Welcome } from '../../../protocol/mls/structures/welcome.js'
import { sha256 } from '../../../protocol/sha256.js'
import { applyMemberChanges, markUsed } from '../../follower/replica/replica-members.repository.js'
import { createReplica } from '../../follower/replica/replica.repository.js'
import { spendHandedOut } from '../../joins/join-proofs.repository.js'
import { BatchRefused, HomeElsewhere, RosterRefused } from '../../inbound/inbound.problems.js'
import { ReplicaQuota } from '../../quotas/replica-quota.js'
import {
  handedOutTo,
  isTreeKept,
  isWelcomeKnown,
  noteWelcomed,
  storeDraftWelcome,
  type KeptTree,
  type DraftMember,
} from './draft-members.repository.js'
import { readDraftReplica, type DraftReplica } from './draft-replica.repository.js'
import type { DraftRoom } from './draft-room.js'
import { leavesIn } from './own-leaves.js'

/** A Welcome as it came, with those for whom it is. */
export interface IncomingWelcome {
  readonly welcome: Welcome
  /** MLSMessage, and SHA-256 of it. */
  readonly bytes: Uint8Array
  readonly hash: Uint8Array
  readonly tree: KeptTree | undefined
  readonly leaves: readonly DraftMember[]
}

/** How long an unread Welcome is kept; its KeyPackage ends sooner. */
const KEPT_MS = 90 * 86_400_000

/** Welcomes of hubs that speak nothing but the draft: who joins is who owns the KeyPackages that they answer. */
@Injectable()
export class DraftWelcomes {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly trees: LargeTrees,
    private readonly quota: ReplicaQuota,
  ) {}

  /** Reads it, and the tree that came along. @throws BatchRefused */
  async read(room: DraftRoom, { message, tree }: FanoutMessage): Promise<IncomingWelcome> {
    const decoded = decodeIncoming(message)
    if (decoded.kind === 'malformed' || decoded.value.wireFormat !== 'welcome') throw new BatchRefused('a Welcome is not one')
    const welcome = decoded.value.body
    const kept = tree?.kind === 'full' ? { bytes: tree.tree, hash: sha256(tree.tree) } : undefined
    return { welcome, bytes: message, hash: sha256(message), tree: kept, leaves: await this.leavesOf(room, welcome, kept) }
  }

  /**
   * Devices here join by it, once. The first one founds the replica. To be called in a transaction that holds the room, which takes back what it has
   * written where it throws.
   * @returns devices that find it in their inboxes
   * @throws RosterRefused if it answers no KeyPackage that was handed out for this room; HomeElsewhere if the group is known as another's; HeldBack
   */
  async store(sql: Sql, room: DraftRoom, incoming: IncomingWelcome): Promise<readonly bigint[]> {
    const { leaves, tree } = incoming
    const known = await readDraftReplica(sql, room.groupId, room.hub, room.roomId)
    if (known && (known.deleted || (await isWelcomeKnown(sql, known.gid, incoming.hash)))) return []
    if (leaves.length === 0) throw new RosterRefused('the Welcome is for nobody here')
    const replica = known ?? (await this.found(sql, room, incoming.welcome))
    const { gid, headSeq: seq, epoch } = replica
    const joins = leaves.map(({ deviceId }) => ({ deviceId, seq, hash: incoming.hash }))
    const answered = incoming.welcome.refs.map((ref) => ({ ref, seq, hash: incoming.hash }))
    const spent = await spendHandedOut(sql, { gid, roomId: room.roomId }, answered, joins)
    const deviceIds = [...new Set(spent.map(({ deviceId }) => deviceId))]
    if (deviceIds.length < leaves.length) throw new RosterRefused('the Welcome was taken before')
    const isNewTree = tree !== undefined && !(known && (await isTreeKept(sql, gid, tree.hash)))
    const stored = [{ bytes: incoming.bytes, deviceIds }, ...(isNewTree ? [{ bytes: tree.bytes, deviceIds: [] }] : [])]
    const added = { entries: [], joining: deviceIds[0], welcomes: stored, founds: !known }
    await this.quota.admit(sql, { gid, hub: room.hub, headSeq: seq }, added)
    const refs = spent.map(({ ref }) => ref)
    await applyMemberChanges(
      sql,
      gid,
      deviceIds.map((deviceId) => ({ deviceId, seq, change: 'joined', epoch, ended: 'resync' })),
    )
    await withholdReplica(sql, gid, refs)
    await storeDraftWelcome(sql, gid, { seq, epoch, bytes: incoming.bytes, expiresAt: new Date(Date.now() + KEPT_MS), deviceIds })
    await noteWelcomed(sql, gid, leaves, incoming)
    await markUsed(sql, refs)
    return deviceIds
  }

  /** The epoch is not known yet: it is inside of the Welcome. */
  private async found(sql: Sql, { hub, roomId, groupId }: DraftRoom, { cipherSuite }: Welcome): Promise<DraftReplica> {
    const address = await followGroup(sql, { mlsGroupId: groupId, hub, roomId }, 'joined', 'draft')
    if (!address) throw new HomeElsewhere()
    const headChain = Buffer.from(initialChain(groupId, 1))
    const [epoch, headSeq, postFloor] = [0n, 0n, 0n]
    const gid = await createReplica(sql, {
      groupId: address,
      mlsGroupId: groupId,
      roomId,
      incarnation: 1,
      mode: 'public',
      cipherSuite,
      epoch,
      headSeq,
      headChain,
    })
    return { gid, cipherSuite, epoch, headSeq, headChain, postFloor, deleted: false }
  }

  /** The devices whose KeyPackages it answers, and where they stand in the tree that came along. */
  private async leavesOf({ roomId }: DraftRoom, welcome: Welcome, tree: KeptTree | undefined): Promise<DraftMember[]> {
    const owners = await handedOutTo(this.pool, roomId, welcome.refs)
    const clients = await clientsOf(this.pool, owners)
    const named = new Set([...clients.values()].map(({ client }) => client))
    const nodes = tree ? await this.trees.decode(tree.bytes) : undefined
    const found = nodes?.kind === 'decoded' ? leavesIn(nodes.value, named) : new Map<string, number>()
    return owners.map((deviceId) => ({ deviceId, leafIndex: found.get(clients.get(deviceId)?.client ?? '') ?? null }))
  }
}
