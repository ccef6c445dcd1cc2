import type { Sql } from '../../platform/postgres/sql.js'
import type { LogPlace, SharedGroup } from '../../protocol/mimi/microchat/shared-group.js'

/**
 * Whether a provider may know of a user here: it has members in a group with the user, as its hub or as a follower here; one of its users has the user's
 * consent, or was asked for it; this server has sent it a request of the user, or KeyPackages; or it shows the log of a group elsewhere that the user is in.
 * One statement for all users, known or not. `OFFSET 0` keeps the planner at the user's own memberships: it would read all groups of a provider, or all
 * members of a group.
 * @param shared of a group that a third provider is the hub of
 */
export async function isRelated(sql: Sql, user: string, domain: string, shared: SharedGroup | undefined): Promise<boolean> {
  const { rows } = await sql.query({
    name: 'is_related',
    text: `WITH shown AS MATERIALIZED (
             SELECT f.gid, g.head_seq, g.head_chain FROM followed_group f CROSS JOIN LATERAL (SELECT * FROM groups WHERE gid = f.gid OFFSET 0) g
              WHERE f.hub = provider_of($4) AND coalesce(f.mls_group_id, f.group_id) = $3 AND f.room_id = $4
           )
           SELECT FROM account a WHERE a.user_uri = $1 AND (
             EXISTS (SELECT FROM introduction i WHERE i.account_id = a.id AND i.domain = $2 AND i.until > now())
             OR EXISTS (SELECT FROM device d JOIN member m ON m.device_id = d.id
                         WHERE d.account_id = a.id AND m.until_seq IS NULL
                           AND (EXISTS (SELECT FROM peer_cursor c WHERE c.domain = $2 AND c.gid = m.gid AND c.until_seq IS NULL OFFSET 0)
                             OR EXISTS (SELECT FROM followed_group f WHERE f.gid = m.gid AND f.hub = $2 OFFSET 0)))
             OR EXISTS (SELECT FROM consent c WHERE c.target = $1 AND c.state = 'granted' AND provider_of(c.requester) = $2
                           AND NOT EXISTS (SELECT FROM user_block b WHERE b.blocker = $1 AND b.blocked = c.requester))
             OR EXISTS (SELECT FROM consent c WHERE c.requester = $1 AND c.asked_at IS NOT NULL AND provider_of(c.target) = $2)
             OR EXISTS (SELECT FROM shown g
                         CROSS JOIN LATERAL (SELECT x.id FROM device x WHERE x.account_id = a.id OFFSET 0) d
                         CROSS JOIN LATERAL (SELECT x.from_seq FROM member x WHERE x.device_id = d.id AND x.gid = g.gid AND x.until_seq IS NULL OFFSET 0) m
                         WHERE EXISTS (SELECT FROM unnest($5::bigint[], $6::bytea[]) AS p (seq, chain)
                                        WHERE p.seq >= m.from_seq - 1
                                          AND (p.seq = g.head_seq AND p.chain = g.head_chain
                                            OR p.chain = (SELECT l.chain FROM log l WHERE l.gid = g.gid AND l.seq = p.seq)))))`,
    values: [
      user,
      domain,
      shared?.groupId ?? null,
      shared?.roomId ?? null,
      shared?.places.map(({ seq }) => seq) ?? [],
      shared?.places.map(({ chain }) => chain) ?? [],
    ],
  })
  return rows.length > 0
}

/** Entries of a log by which a follower shows that it has it: the last ones, for one that is a little behind. */
const SHOWN = 100

/** The group as this server can show it to another follower; undefined unless the device is in it, and it is at home elsewhere. */
export async function sharedGroupOf(sql: Sql, groupId: Uint8Array, deviceId: bigint): Promise<SharedGroup | undefined> {
  const { rows } = await sql.query<{ mlsGroupId: Buffer; roomId: string } & LogPlace>({
    name: 'shared_group_of',
    text: `SELECT coalesce(f.mls_group_id, f.group_id) AS "mlsGroupId", f.room_id AS "roomId", p.seq, p.chain
             FROM followed_group f JOIN groups g ON g.gid = f.gid
            CROSS JOIN LATERAL (
              SELECT g.head_seq AS seq, g.head_chain AS chain
               UNION ALL (SELECT l.seq, l.chain FROM log l WHERE l.gid = g.gid AND l.seq < g.head_seq ORDER BY l.seq DESC LIMIT ${SHOWN})
            ) p
            WHERE f.group_id = $1 AND g.deleted_at IS NULL
              AND EXISTS (SELECT FROM member m WHERE m.gid = f.gid AND m.device_id = $2 AND m.until_seq IS NULL)`,
    values: [groupId, deviceId],
  })
  const [first] = rows
  return first && { groupId: first.mlsGroupId, roomId: first.roomId, places: rows.map(({ seq, chain }) => ({ seq, chain })) }
}

/** For how long a provider may look up a user who has sent it something. It begins again each time. */
const KNOWN = "interval '1 day'"

/** A provider is sent something of these users: from now on it may look them up. Users of other providers are left out. */
export async function noteIntroductions(sql: Sql, users: readonly string[], domains: readonly string[]): Promise<void> {
  await sql.query({
    name: 'note_introductions',
    text: `INSERT INTO introduction AS i (account_id, domain, until)
           SELECT a.id, x.domain, now() + ${KNOWN}
             FROM unnest($1::text[], $2::text[]) AS x (user_uri, domain) JOIN account a ON a.user_uri = x.user_uri
            WHERE a.deleted_at IS NULL ORDER BY a.id, x.domain
           ON CONFLICT (account_id, domain) DO UPDATE SET until = excluded.until`,
    values: [users, domains],
  })
}

/** Deletes introductions that are past. @returns how many; fewer than `limit` is all */
export async function forgetIntroductions(sql: Sql, limit: number): Promise<number> {
  const { rowCount } = await sql.query({
    name: 'forget_introductions',
    text: `DELETE FROM introduction WHERE ctid = ANY (ARRAY(
             SELECT x.ctid FROM introduction x WHERE x.until < now() ORDER BY x.until LIMIT $1 FOR UPDATE SKIP LOCKED
           ))`,
    values: [limit],
  })
  return rowCount ?? 0
}
