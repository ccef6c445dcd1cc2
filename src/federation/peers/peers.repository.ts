import type { Sql } from '../../platform/postgres/sql.js'

export interface PeerRow {
  domain: string
  policy: 'allow' | 'deny' | null
  paused: boolean
  failures: number
  retryAt: Date | null
  endpoints: Record<string, string> | null
  profiles: string[] | null
  features: string[] | null
  /** X.509, DER. */
  authorities: Buffer[]
  issuedAt: Date | null
  fetchedAt: Date | null
  expiresAt: Date | null
  /** Since when its directory cannot be fetched or read, and why. */
  directoryFailingSince: Date | null
  directoryError: string | null
  alarm: string | null
  /** By how many seconds its clock is ahead of this server's, where that is too much; negative: behind. */
  clockOffset: number | null
}

/** What an integer column holds. */
const MAX_OFFSET = 2 ** 31 - 1

const COLUMNS = `domain, policy, paused, failures, retry_at AS "retryAt", endpoints, profiles, features, x509_authorities AS authorities,
  issued_at AS "issuedAt", fetched_at AS "fetchedAt", expires_at AS "expiresAt", directory_failing_since AS "directoryFailingSince",
  directory_error AS "directoryError", alarm, clock_offset AS "clockOffset"`

/** The row of a provider; undefined before the first contact with it. */
export async function findPeer(sql: Sql, domain: string): Promise<PeerRow | undefined> {
  const { rows } = await sql.query<PeerRow>({ name: 'find_peer', text: `SELECT ${COLUMNS} FROM peer WHERE domain = $1`, values: [domain] })
  return rows[0]
}

export interface PeerKeyRow {
  keyId: string
  publicKey: Buffer
  notBefore: Date
  notAfter: Date | null
}

/** The pinned keys of a provider, Ed25519, expired ones among them. */
export async function findPeerKeys(sql: Sql, domain: string): Promise<PeerKeyRow[]> {
  const { rows } = await sql.query<PeerKeyRow>({
    name: 'find_peer_keys',
    text: 'SELECT key_id AS "keyId", public_key AS "publicKey", not_before AS "notBefore", not_after AS "notAfter" FROM peer_key WHERE domain = $1',
    values: [domain],
  })
  return rows
}

/** The operator's decision on a peer; null: none. */
export async function setPolicy(sql: Sql, domain: string, policy: 'allow' | 'deny' | null): Promise<void> {
  await sql.query({
    text: 'INSERT INTO peer (domain, policy) VALUES ($1, $2) ON CONFLICT (domain) DO UPDATE SET policy = excluded.policy',
    values: [domain, policy],
  })
}

/** The operator's pause of the pushes to a peer; either way its failures are forgotten. */
export async function setPaused(sql: Sql, domain: string, paused: boolean): Promise<void> {
  await sql.query({
    text: `INSERT INTO peer (domain, paused) VALUES ($1, $2)
           ON CONFLICT (domain) DO UPDATE SET paused = excluded.paused, failures = 0, retry_at = NULL`,
    values: [domain, paused],
  })
}

/** What the peer's answers say of its clock. @param offset seconds that it is ahead; null: it is right */
export async function noteClock(sql: Sql, domain: string, offset: number | null): Promise<void> {
  const seconds = offset === null ? null : Math.max(-MAX_OFFSET, Math.min(offset, MAX_OFFSET))
  await sql.query({
    name: 'note_clock',
    text: 'UPDATE peer SET clock_offset = $2 WHERE domain = $1 AND clock_offset IS DISTINCT FROM $2::integer',
    values: [domain, seconds],
  })
}

/** After as many a group waits for up to four minutes, and is not worth a try for each request. */
const FEW_FAILURES = 8

/** The peer sent a request: it may be well again, so its back-off ends, and that of groups which it could not take a few times. */
export async function noteInbound(sql: Sql, domain: string): Promise<void> {
  await sql.query({
    name: 'note_inbound',
    text: `WITH freed AS (
             UPDATE peer_cursor SET retry_at = NULL WHERE domain = $1 AND retry_at IS NOT NULL AND stopped IS NULL AND failures <= ${FEW_FAILURES}
           )
           INSERT INTO peer (domain, last_inbound_at) VALUES ($1, now())
           ON CONFLICT (domain) DO UPDATE SET last_inbound_at = now(), failures = 0, retry_at = NULL, clock_offset = NULL`,
    values: [domain],
  })
}

/**
 * A run to the peer failed.
 * @param failures in a row, this one included
 * @param retryAt not to be pushed to before
 * @param error for the operator, cut to 500 characters
 */
export async function noteFailure(sql: Sql, domain: string, failures: number, retryAt: Date, error: string): Promise<void> {
  await sql.query({
    name: 'note_failure',
    text: `INSERT INTO peer (domain, failures, retry_at, last_error, last_error_at) VALUES ($1, $2, $3, $4, now())
           ON CONFLICT (domain) DO UPDATE SET failures = excluded.failures, retry_at = excluded.retry_at, last_error = excluded.last_error,
             last_error_at = excluded.last_error_at`,
    values: [domain, failures, retryAt, error.slice(0, 500)],
  })
}

/** A run to the peer went well, after others that did not. */
export async function noteSuccess(sql: Sql, domain: string): Promise<void> {
  await sql.query({
    name: 'note_success',
    text: 'UPDATE peer SET failures = 0, retry_at = NULL WHERE domain = $1 AND failures > 0',
    values: [domain],
  })
}

/** The operator wants the peer tried at once. */
export async function clearBackOff(sql: Sql, domain: string): Promise<void> {
  await sql.query({ text: 'UPDATE peer SET failures = 0, retry_at = NULL WHERE domain = $1', values: [domain] })
}

export interface ListedPeer extends PeerRow {
  lastError: string | null
  lastErrorAt: Date | null
  lastInboundAt: Date | null
  /** Ends of its keys. */
  keyEnds: (Date | null)[]
}

/** All known providers, for the operator, by domain. */
export async function listPeers(sql: Sql): Promise<ListedPeer[]> {
  const { rows } = await sql.query<ListedPeer>(
    `SELECT ${COLUMNS}, last_error AS "lastError", last_error_at AS "lastErrorAt", last_inbound_at AS "lastInboundAt",
            ARRAY(SELECT not_after FROM peer_key AS k WHERE k.domain = peer.domain) AS "keyEnds"
       FROM peer ORDER BY domain`,
  )
  return rows
}

/**
 * Takes the lane of a peer for `ms`, unless it is taken, paused or in back-off. The lane of an owner that died is free when its time is over.
 * @returns whether it was taken
 */
export async function takeLane(sql: Sql, domain: string, owner: string, ms: number): Promise<boolean> {
  const { rowCount } = await sql.query({
    name: 'take_lane',
    text: `INSERT INTO peer AS p (domain, lane_owner, lane_until) VALUES ($1, $2, now() + $3 * interval '1 millisecond')
           ON CONFLICT (domain) DO UPDATE SET lane_owner = excluded.lane_owner, lane_until = excluded.lane_until
           WHERE NOT p.paused AND coalesce(p.retry_at <= now(), true) AND coalesce(p.lane_until < now(), true)`,
    values: [domain, owner, ms],
  })
  return rowCount === 1
}

/** @returns whether the lane is still the owner's */
export async function renewLane(sql: Sql, domain: string, owner: string, ms: number): Promise<boolean> {
  const { rowCount } = await sql.query({
    name: 'renew_lane',
    text: `UPDATE peer SET lane_until = now() + $3 * interval '1 millisecond' WHERE domain = $1 AND lane_owner = $2`,
    values: [domain, owner, ms],
  })
  return rowCount === 1
}

/** Gives the lane back, unless another owner has taken it since. */
export async function leaveLane(sql: Sql, domain: string, owner: string): Promise<void> {
  await sql.query({
    name: 'leave_lane',
    text: 'UPDATE peer SET lane_until = NULL, lane_owner = NULL WHERE domain = $1 AND lane_owner = $2',
    values: [domain, owner],
  })
}
