import type { Sql } from '../../platform/postgres/sql.js'
import type { Ended, GroupPolicy } from '../policy/policy.js'

/** Where a device and its user stand with a group, and the group's policy: all that rights depend on. */
export interface Standing {
  policy: GroupPolicy
  admin: boolean
  banned: boolean
  /** The device's interval, while it is a member. */
  member: { fromSeq: bigint; joinEpoch: bigint } | undefined
  /** The device is or was a member. */
  ever: boolean
  /** Any device of the user is a member. */
  present: boolean
  /** How the user's last interval ended, if any did; `removed` also if it was in a group that this one succeeds. */
  lastEnded: Ended | null
}

type StandingRow = Omit<GroupPolicy, 'version'> & {
  version: bigint
  admin: boolean
  banned: boolean
  ever: boolean
  fromSeq: bigint | null
  joinEpoch: bigint | null
  present: boolean
  lastEnded: Ended | null
}

/**
 * Undefined once the group is deleted. "OFFSET 0": one look-up for each of the user's devices, since PostgreSQL takes a group to be small and
 * would read all who are or were in it.
 */
export async function readStanding(sql: Sql, gid: bigint, deviceId: bigint, userId: bigint): Promise<Standing | undefined> {
  const { rows } = await sql.query<StandingRow>({
    name: 'read_standing',
    text: `
      SELECT p.external_join AS "externalJoin", p.join_code_hash AS "joinCodeHash", p.add_members AS "addMembers",
             p.remove_members AS "removeMembers", p.reports_to_reset AS "reportsToReset", p.version,
             EXISTS (SELECT FROM group_admin a WHERE a.gid = p.gid AND a.user_id = $3) AS admin,
             EXISTS (SELECT FROM group_ban b WHERE b.gid = p.gid AND b.user_id = $3) AS banned,
             own.ever, own."fromSeq", own."joinEpoch", account.present,
             coalesce(account."lastEnded", CASE WHEN EXISTS (SELECT FROM group_outcast o WHERE o.gid = p.gid AND o.user_id = $3) THEN 'removed' END) AS "lastEnded"
        FROM group_policy p
       CROSS JOIN LATERAL (
         SELECT count(*) > 0 AS ever, max(m.from_seq) FILTER (WHERE m.until_seq IS NULL) AS "fromSeq",
                max(m.join_epoch) FILTER (WHERE m.until_seq IS NULL) AS "joinEpoch"
           FROM member m WHERE m.device_id = $2 AND m.gid = p.gid
       ) own
       CROSS JOIN LATERAL (
         SELECT coalesce(bool_or(m.until_seq IS NULL), false) AS present,
                (array_agg(m.ended ORDER BY m.until_seq DESC, (m.ended = 'removed') DESC) FILTER (WHERE m.until_seq IS NOT NULL))[1] AS "lastEnded"
           FROM device d CROSS JOIN LATERAL (SELECT * FROM member m WHERE m.device_id = d.id AND m.gid = p.gid OFFSET 0) m
          WHERE d.account_id = $3
       ) account
       WHERE p.gid = $1`,
    values: [gid, deviceId, userId],
  })
  const row = rows[0]
  if (!row) return undefined
  const { admin, banned, ever, present, lastEnded, fromSeq, joinEpoch, ...policy } = row
  const member = fromSeq === null || joinEpoch === null ? undefined : { fromSeq, joinEpoch }
  return { policy, admin, banned, ever, present, lastEnded, member }
}

/** Which of these users are banned. */
export async function bannedAmong(sql: Sql, gid: bigint, userIds: readonly bigint[]): Promise<Set<bigint>> {
  if (userIds.length === 0) return new Set()
  const { rows } = await sql.query<{ userId: bigint }>({
    name: 'banned_among',
    text: 'SELECT user_id AS "userId" FROM group_ban WHERE gid = $1 AND user_id = ANY ($2)',
    values: [gid, userIds],
  })
  return new Set(rows.map(({ userId }) => userId))
}

/** Which of these devices are members now. */
export async function presentAmong(sql: Sql, gid: bigint, deviceIds: readonly bigint[]): Promise<Set<bigint>> {
  if (deviceIds.length === 0) return new Set()
  const { rows } = await sql.query<{ deviceId: bigint }>({
    name: 'present_among',
    text: `SELECT DISTINCT x.device_id AS "deviceId" FROM unnest($2::bigint[]) AS x (device_id)
            CROSS JOIN LATERAL (SELECT FROM member m WHERE m.device_id = x.device_id AND m.gid = $1 AND m.until_seq IS NULL OFFSET 0) m`,
    values: [gid, deviceIds],
  })
  return new Set(rows.map(({ deviceId }) => deviceId))
}

export interface PresentClient {
  deviceId: bigint
  /** On the way out: it asked to leave, was revoked, or its user is banned or disabled. */
  leaving: boolean
}

/** The members of a group, by client URI. */
export async function presentClients(sql: Sql, gid: bigint): Promise<Map<string, PresentClient>> {
  const { rows } = await sql.query<PresentClient & { client: string }>({
    name: 'present_clients',
    text: `
      SELECT d.client_uri AS client, d.id AS "deviceId",
             d.revoked_at IS NOT NULL OR a.disabled_at IS NOT NULL
             OR EXISTS (SELECT FROM pending_removal r WHERE r.gid = m.gid AND r.device_id = d.id)
             OR EXISTS (SELECT FROM group_ban b WHERE b.gid = m.gid AND b.user_id = a.id) AS leaving
        FROM member m JOIN device d ON d.id = m.device_id JOIN account a ON a.id = d.account_id
       WHERE m.gid = $1 AND m.until_seq IS NULL`,
    values: [gid],
  })
  return new Map(rows.map(({ client, ...present }) => [client, present]))
}
