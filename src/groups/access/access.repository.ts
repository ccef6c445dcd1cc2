import type { Sql } from '../../platform/postgres/sql.js'
import type { Ended } from '../authority/rules.js'
import type { GroupPolicy } from '../policy/policy.js'
import type { PendingRemoval } from '../removal/removal.repository.js'
import { GROUP_COLUMNS, type GroupRow } from '../repository/groups.repository.js'

/** Who asks. */
export interface Asking {
  deviceId: bigint
  userId: bigint
}

/** Where a device and its user stand with a group, and the group's policy: all that rights depend on. */
export interface Standing {
  policy: GroupPolicy
  admin: boolean
  banned: boolean
  /** The device's interval, while it is a member and has not asked to leave. */
  member: { fromSeq: bigint; joinEpoch: bigint } | undefined
  /** The device is or was a member. */
  ever: boolean
  /** It has asked to leave, and waits for the Commit that lets it go. */
  leaving: boolean
  /** Somebody else removed the device from its last interval, or from a group that this one succeeds. */
  removed: boolean
  /** Any device of the user is a member. */
  present: boolean
  /** The user reset the group, by reports. */
  resetter: boolean
  /** How the user's last interval ended, if any did; `removed` also if it was in a group that this one succeeds. */
  lastEnded: Ended | null
}

/** A group and the caller's standing in it; none in a deleted group. */
export interface FoundGroup {
  group: GroupRow
  standing: Standing | undefined
}

/** What an earlier submission of the same bytes came to; `epoch` is the group's after it. */
export interface Acceptance {
  seq: bigint
  epoch: bigint
  chain: Buffer
}

/** All that a Commit or Proposal is judged by before anything is known of what is in it, as of one moment. */
export interface FoundForSubmission extends FoundGroup {
  /** Invariant 5: the acceptance of the same bytes while the device was a member; for anyone where they come from outside the group. */
  earlier: Acceptance | undefined
  /** Signature keys that the caller's device may sign with now, in canonical form. */
  callersKeys: readonly Uint8Array[]
  pending: readonly PendingRemoval[]
  /** `seq` of the last Commit or Proposal; 0 where there was none, or retention has taken it. */
  lastHandshake: bigint
}

type StandingRow = Omit<GroupPolicy, 'version'> & {
  version: bigint | null
  admin: boolean
  banned: boolean
  ever: boolean
  leaving: boolean
  removed: boolean
  fromSeq: bigint | null
  joinEpoch: bigint | null
  present: boolean
  resetter: boolean
  lastEnded: Ended | null
}

/**
 * With $1 the group id, $2 the device and $3 its user. "OFFSET 0": one look-up for each of the user's devices, since PostgreSQL takes a group
 * to be small and would read all who are or were in it.
 */
const COLUMNS = `${GROUP_COLUMNS},
  p.external_join AS "externalJoin", p.join_code_hash AS "joinCodeHash", p.add_members AS "addMembers",
  p.remove_members AS "removeMembers", p.reports_to_reset AS "reportsToReset", p.identities, p.version,
  EXISTS (SELECT FROM group_admin a WHERE a.gid = g.gid AND a.user_id = $3) AS admin,
  EXISTS (SELECT FROM group_ban b WHERE b.gid = g.gid AND b.user_id = $3) AS banned,
  coalesce(g.reserved_for = $3, false) AS resetter,
  own.ever, own.leaving, coalesce(own.removed, EXISTS (SELECT FROM outcast_device o WHERE o.gid = g.gid AND o.device_id = $2)) AS removed, own."fromSeq", own."joinEpoch", account.present,
  coalesce(account."lastEnded", CASE WHEN EXISTS (SELECT FROM group_outcast o WHERE o.gid = g.gid AND o.user_id = $3) THEN 'removed' END) AS "lastEnded"`
/** Of a row of `member` named `m`: a member that has not asked to leave. */
const PRESENT = 'm.until_seq IS NULL AND m.read_until IS NULL'
const SOURCES = `groups g
  LEFT JOIN group_policy p ON p.gid = g.gid
 CROSS JOIN LATERAL (
   SELECT count(*) > 0 AS ever, max(m.from_seq) FILTER (WHERE ${PRESENT}) AS "fromSeq",
          max(m.join_epoch) FILTER (WHERE ${PRESENT}) AS "joinEpoch",
          coalesce(bool_or(m.until_seq IS NULL AND m.read_until IS NOT NULL), false) AS leaving,
          CASE WHEN count(*) > 0 THEN coalesce((array_agg(m.ended ORDER BY m.until_seq DESC NULLS FIRST))[1] = 'removed', false) END AS removed
     FROM member m WHERE m.device_id = $2 AND m.gid = g.gid
 ) own
 CROSS JOIN LATERAL (
   SELECT coalesce(bool_or(m.until_seq IS NULL), false) AS present,
          (array_agg(m.ended ORDER BY m.until_seq DESC, (m.ended = 'removed') DESC) FILTER (WHERE m.until_seq IS NOT NULL))[1] AS "lastEnded"
     FROM device d CROSS JOIN LATERAL (SELECT * FROM member m WHERE m.device_id = d.id AND m.gid = g.gid OFFSET 0) m
    WHERE d.account_id = $3
 ) account`

/** @returns undefined for a group that nobody here has heard of */
export async function readGroupAndStanding(sql: Sql, groupId: Uint8Array, { deviceId, userId }: Asking): Promise<FoundGroup | undefined> {
  const { rows } = await sql.query<GroupRow & StandingRow>({
    name: 'read_group_and_standing',
    text: `SELECT ${COLUMNS} FROM ${SOURCES} WHERE g.group_id = $1`,
    values: [groupId, deviceId, userId],
  })
  return rows[0] && found(rows[0])
}

type PendingRow = PendingRemoval | { deviceId: null }

type SubmissionRow = GroupRow &
  StandingRow &
  PendingRow & {
    earlierSeq: bigint | null
    earlierEpoch: bigint
    earlierChain: Buffer
    callersKeys: Buffer[]
    lastHandshake: bigint
  }

/**
 * The same with what else a Commit or Proposal is judged by, in one statement (architecture §5).
 *
 * "+ 0": otherwise PostgreSQL walks the whole group in the order of seq (933 ms of 600,000 entries) instead of looking for the hash.
 *
 * @param message `hash` is SHA-256 of its bytes; `outside`: its sender is no member, so every caller with the bytes may read their acceptance
 * @returns undefined for a group that nobody here has heard of
 */
export async function readForSubmission(
  sql: Sql,
  groupId: Uint8Array,
  { deviceId, userId }: Asking,
  message: { hash: Uint8Array; outside: boolean },
): Promise<FoundForSubmission | undefined> {
  const { rows } = await sql.query<SubmissionRow>({
    name: 'read_for_submission',
    text: `
      SELECT ${COLUMNS}, earlier.seq AS "earlierSeq", earlier.epoch AS "earlierEpoch", earlier.chain AS "earlierChain",
             coalesce(handshake.seq, 0) AS "lastHandshake", keys."callersKeys",
             r.device_id AS "deviceId", r.client, r.leaf_index AS "leafIndex", r.reason, r.proposed_epoch AS "proposedEpoch"
        FROM ${SOURCES}
        LEFT JOIN LATERAL (
          SELECT l.seq, l.epoch + CASE l.kind WHEN 'c' THEN 1 ELSE 0 END AS epoch, l.chain
            FROM log l WHERE l.gid = g.gid AND l.hash = $4 AND ($5 OR EXISTS (
              SELECT FROM member m WHERE m.device_id = $2 AND m.gid = g.gid AND l.seq BETWEEN m.from_seq AND coalesce(least(m.until_seq, m.read_until), l.seq)
            )) ORDER BY l.seq + 0 LIMIT 1
        ) earlier ON true
        LEFT JOIN LATERAL (
          SELECT l.seq FROM log l WHERE l.gid = g.gid AND l.kind IN ('c', 'p') ORDER BY l.seq DESC LIMIT 1
        ) handshake ON true
       CROSS JOIN LATERAL (SELECT ARRAY(${KEYS_OF_DEVICE}) AS "callersKeys") keys
        LEFT JOIN LATERAL (
          SELECT x.*, d.client_uri AS client FROM pending_removal x JOIN device d ON d.id = x.device_id WHERE x.gid = g.gid
        ) r ON true
       WHERE g.group_id = $1 ORDER BY r.device_id`,
    values: [groupId, deviceId, userId, message.hash, message.outside],
  })
  const [row] = rows
  if (!row) return undefined
  const { earlierSeq: seq, earlierEpoch: epoch, earlierChain: chain, callersKeys, lastHandshake } = row
  const pending = rows.flatMap((one) => (one.deviceId === null ? [] : [pendingOf(one)]))
  return { ...found(row), earlier: seq === null ? undefined : { seq, epoch, chain }, callersKeys, lastHandshake, pending }
}

/** The keys that the device $2 may sign with now. */
const KEYS_OF_DEVICE = `
  SELECT k.public_key FROM device d JOIN account a ON a.id = d.account_id CROSS JOIN LATERAL (
    SELECT s.public_key, s.valid_from, s.valid_until FROM signature_key s WHERE s.device_id = d.id AND s.revoked_at IS NULL
     UNION ALL
    SELECT f.public_key, f.valid_from, f.valid_until FROM foreign_signature_key f WHERE f.device_id = d.id
  ) k
   WHERE d.id = $2 AND d.revoked_at IS NULL AND a.disabled_at IS NULL AND k.valid_from <= now() AND coalesce(k.valid_until > now(), true)`

function found(row: GroupRow & StandingRow): FoundGroup {
  const { gid, groupId, mlsGroupId, incarnation, mode, cipherSuite, epoch, headSeq, headChain, postFloor, floorSeq, roomId } = row
  const { frozen, reservedUntil, successorGroupId, succeeds, deleted, reusedAbove } = row
  const numbers = { gid, groupId, mlsGroupId, incarnation, mode, cipherSuite, epoch, headSeq, headChain, postFloor, floorSeq, roomId }
  return { group: { ...numbers, frozen, reservedUntil, successorGroupId, succeeds, deleted, reusedAbove }, standing: standingIn(row) }
}

function standingIn(row: StandingRow): Standing | undefined {
  const { version, externalJoin, joinCodeHash, addMembers, removeMembers, reportsToReset, identities } = row
  // The policy goes with the group.
  if (version === null) return undefined
  const policy = { version, externalJoin, joinCodeHash, addMembers, removeMembers, reportsToReset, identities }
  const { admin, banned, ever, leaving, removed, present, resetter, lastEnded, fromSeq, joinEpoch } = row
  const member = fromSeq === null || joinEpoch === null ? undefined : { fromSeq, joinEpoch }
  return { policy, admin, banned, ever, leaving, removed, present, resetter, lastEnded, member }
}

function pendingOf({ deviceId, client, leafIndex, reason, proposedEpoch }: PendingRemoval): PendingRemoval {
  return { deviceId, client, leafIndex, reason, proposedEpoch }
}
