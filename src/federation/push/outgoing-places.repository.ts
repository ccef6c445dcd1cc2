import type { Sql } from '../../platform/postgres/sql.js'

/** The incarnation that the entry at `seq` was accepted in, and the last seq of that incarnation, if there are later ones. */
export async function readIncarnation(sql: Sql, gid: bigint, seq: bigint): Promise<{ incarnation: number; last: bigint | null }> {
  const { rows } = await sql.query<{ incarnation: number; last: bigint | null }>({
    name: 'read_incarnation',
    text: `SELECT coalesce(max(incarnation) FILTER (WHERE from_seq < $2), 1) AS incarnation, min(from_seq) FILTER (WHERE from_seq >= $2) AS last
             FROM incarnation_start WHERE gid = $1`,
    values: [gid, seq],
  })
  return rows[0] ?? { incarnation: 1, last: null }
}

/**
 * The first stretch of the log after `afterSeq` in which the peer had members without a break, both ends included: from the Commit
 * that brought one to the Commit that took the last one. `until` is null while it has some.
 */
export async function readPresence(
  sql: Sql,
  domain: string,
  gid: bigint,
  afterSeq: bigint,
): Promise<{ from: bigint; until: bigint | null } | undefined> {
  const { rows } = await sql.query<{ from: bigint; until: bigint | null }>({
    name: 'read_presence',
    text: `
      WITH stay AS (
        SELECT m.from_seq - 1 AS lo, coalesce(m.until_seq, 9223372036854775807) AS hi FROM member m JOIN device d ON d.id = m.device_id
         WHERE m.gid = $2 AND provider_of(d.client_uri) = $1
      ), reach AS (
        SELECT lo, hi, max(hi) OVER (ORDER BY lo, hi ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM stay
      ), numbered AS (
        SELECT lo, hi, count(*) FILTER (WHERE before IS NULL OR lo > before + 1) OVER (ORDER BY lo, hi) AS part
          FROM (SELECT lo, hi, least(before, 9223372036854775806) AS before FROM reach) r
      ), joint AS (
        SELECT min(lo) AS lo, max(hi) AS hi FROM numbered GROUP BY part
      )
      SELECT greatest(lo, $3::bigint + 1) AS from, nullif(hi, 9223372036854775807) AS until
        FROM joint WHERE hi > $3 ORDER BY lo LIMIT 1`,
    values: [domain, gid, afterSeq],
  })
  return rows[0]
}
