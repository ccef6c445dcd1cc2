import { type Sql, callFunction } from '../../platform/postgres/sql.js'
import { rowOfGroup } from './group-row.js'
import type { CommitSubmission } from './submissions.repository.js'

export type GroupMode = 'public' | 'private'

/** The row of one group: what ordering needs, nothing of its members. */
export interface GroupRow {
  gid: bigint
  /** Its address here. */
  groupId: Buffer
  /** In MLS: another one only where two groups have one id. */
  mlsGroupId: Buffer
  incarnation: number
  mode: GroupMode
  cipherSuite: number
  epoch: bigint
  headSeq: bigint
  headChain: Buffer
  postFloor: bigint
  floorSeq: bigint
  roomId: string
  frozen: 'reinit' | 'reset' | null
  /** Up to then only its admins, and who reset it by reports, may create its successor; null: not frozen, or that time has passed. */
  reservedUntil: Date | null
  successorGroupId: Buffer | null
  /** It took the place of another group. */
  succeeds: boolean
  deleted: boolean
  /** Epochs above it may have been used in several incarnations; null: none was. */
  reusedAbove: bigint | null
}

/** Columns of a row of `groups` named `g`. */
export const GROUP_COLUMNS = `g.gid, g.group_id AS "groupId", coalesce(g.mls_group_id, g.group_id) AS "mlsGroupId", g.incarnation, g.mode, g.cipher_suite AS "cipherSuite", g.epoch, g.head_seq AS "headSeq",
  g.head_chain AS "headChain", g.post_floor AS "postFloor", g.floor_seq AS "floorSeq", g.room_id AS "roomId", g.frozen,
  CASE WHEN g.frozen IS NOT NULL AND g.reserved_until > now() THEN g.reserved_until END AS "reservedUntil",
  CASE WHEN g.successor_group_id IS NOT NULL THEN successor_address(g) END AS "successorGroupId", g.predecessor_gid IS NOT NULL AS succeeds, g.deleted_at IS NOT NULL AS deleted, g.reused_above AS "reusedAbove"`

/** Also a tombstone (`deleted`), and a replica of another hub's group. @param groupId its address here */
export async function findGroup(sql: Sql, groupId: Uint8Array): Promise<GroupRow | undefined> {
  const { rows } = await sql.query<GroupRow>({
    name: 'find_group',
    text: `SELECT ${GROUP_COLUMNS} FROM groups g WHERE g.group_id = $1`,
    values: [groupId],
  })
  return rows[0]
}

/** The same by row id. */
export async function findGroupByGid(sql: Sql, gid: bigint): Promise<GroupRow | undefined> {
  const { rows } = await sql.query<GroupRow>({
    name: 'find_group_by_gid',
    text: `SELECT ${GROUP_COLUMNS} FROM groups g WHERE g.gid = $1`,
    values: [gid],
  })
  return rows[0]
}

/** Whether a group here or at another hub has or had the id, or a ReInit has announced it. */
export async function isGroupIdTaken(sql: Sql, groupId: Uint8Array): Promise<boolean> {
  const { rows } = await sql.query<{ taken: boolean }>({ text: 'SELECT group_id_taken(p_group_id => $1) AS taken', values: [groupId] })
  return rows[0]?.taken ?? false
}

/** A group that was checked and is to be written; `welcomes` and `added` for one that begins at epoch 1. */
export interface NewGroup extends Pick<CommitSubmission, 'added' | 'welcomes' | 'usedRefs'> {
  groupId: Uint8Array
  mode: GroupMode
  cipherSuite: number
  epoch: bigint
  deviceId: bigint
  userId: bigint
  roomId: string
  groupInfo: Uint8Array
  /** Private mode with external joins only. */
  tree: Uint8Array | null
  /** Public mode: the serialized state at `epoch`. */
  snapshot: Uint8Array | null
  /** Group id of the frozen group whose place this one takes. */
  successorOf: Uint8Array | null
  /** The policy of the group before it under which a successor was judged. Absent: by none. */
  policyVersion?: bigint | null
  /** Group id of the group that it branches from: those in `added` are members there. */
  branchOf: Uint8Array | null
  externalJoin: 'same-user' | 'code' | 'open' | 'none'
  joinCodeHash: Uint8Array | null
  addMembers: 'members' | 'admins'
  removeMembers: 'members' | 'admins'
  reportsToReset: number
  identities: 'certified' | 'any'
  /** What all groups of its creator may keep, in bytes and in number. Absent: no limit. */
  quota?: { bytes: number; groups: number }
}

/** `duplicate`: the same creator made it by the same GroupInfo before. `chain` is the start of the log's hash chain. */
export interface CreatedGroup {
  kind: 'accepted' | 'duplicate'
  gid: bigint
  incarnation: number
  chain: Buffer
  roomId: string
}
/** The creator's groups, this one included, would keep more bytes, or be more, than they may. */
export interface FullAccount {
  kind: 'account-full' | 'too-many-groups'
}
export type Creation =
  | CreatedGroup
  | { kind: 'successor-taken'; successorGroupId: Buffer }
  | {
      kind:
        | 'exists'
        | 'room-taken'
        | 'predecessor'
        | 'banned'
        | 'reserved'
        | 'announced'
        | 'members-changed'
        | 'key-package-used'
        | 'no-consent'
    }
  /** The policy that it was judged under, or the admins, have changed. */
  | { kind: 'retry' }
  | FullAccount

interface CreationRow {
  outcome: Creation['kind']
  gid: bigint
  incarnation: number
  chain: Buffer
  roomId: string
}

/** See `create_group_with_members`: the group, its members' intervals and Welcomes, policy, room and, once, the place of a frozen predecessor. */
export async function createGroup(sql: Sql, group: NewGroup): Promise<Creation> {
  const { call, values } = callFunction('create_group_with_members', {
    p_group_id: group.groupId,
    p_mode: group.mode,
    p_suite: group.cipherSuite,
    p_epoch: group.epoch,
    p_device: group.deviceId,
    p_user: group.userId,
    p_room: group.roomId,
    p_group_info: group.groupInfo,
    p_tree: group.tree,
    p_snapshot: group.snapshot,
    p_successor_of: group.successorOf,
    p_external_join: group.externalJoin,
    p_join_code_hash: group.joinCodeHash,
    p_add: group.addMembers,
    p_remove: group.removeMembers,
    p_reports: group.reportsToReset,
    p_identities: group.identities,
    p_branch_of: group.branchOf,
    p_added: group.added.map((device) => device.deviceId),
    p_added_welcome: group.added.map((device) => (device.welcome === null ? null : device.welcome + 1)),
    p_welcome: group.welcomes.map((welcome) => welcome.bytes),
    p_welcome_expires: group.welcomes.map((welcome) => welcome.expiresAt),
    p_refs: group.usedRefs,
    p_max_account: group.quota?.bytes ?? null,
    p_max_groups: group.quota?.groups ?? null,
    p_policy_version: group.policyVersion ?? null,
  })
  const text = `SELECT outcome, gid, incarnation, chain, room_id AS "roomId" FROM ${call}`
  const before = group.successorOf ?? group.branchOf
  const { rows } = await sql.query<CreationRow>({ text, values, row: before === null ? undefined : rowOfGroup(before) })
  const row = rows[0]
  if (!row) throw new Error('create_group_with_members returned no row')
  const { outcome, gid, incarnation, chain, roomId } = row
  if (outcome === 'accepted' || outcome === 'duplicate') return { kind: outcome, gid, incarnation, chain, roomId }
  return outcome === 'successor-taken' ? { kind: outcome, successorGroupId: chain } : { kind: outcome }
}

export type Deletion = { kind: 'accepted'; entries: bigint; devices: bigint[] } | { kind: 'unknown' | 'deleted' | 'forbidden' }

/**
 * The group's tombstone (invariant 8): see `delete_group`. `entries` were in its log; `devices` were members and have `group.deleted` in their inbox.
 * Call it in a transaction whose `statement_timeout` has been raised: a long log takes its time to be counted. Then `DeletedGroups.deleted()`.
 */
export async function deleteGroup(sql: Sql, domain: string, gid: bigint, adminId: bigint | null = null): Promise<Deletion> {
  const { call, values } = callFunction('delete_group', { p_domain: domain, p_gid: gid, p_admin: adminId })
  const { rows } = await sql.query<{ outcome: Deletion['kind']; entries: bigint; devices: bigint[] }>({
    text: `SELECT outcome, entries, devices FROM ${call}`,
    values,
  })
  const row = rows[0]
  if (!row) throw new Error('delete_group returned no row')
  return row.outcome === 'accepted' ? { kind: 'accepted', entries: row.entries, devices: row.devices } : { kind: row.outcome }
}
