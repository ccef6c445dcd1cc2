import type { Sql } from '../../platform/postgres/sql.js'

/** Who may have KeyPackages of whom, and for which room; '' for all rooms. */
export interface ConsentScope {
  readonly target: string
  readonly requester: string
  readonly room: string
}

export type Decision = 'granted' | 'revoked'
export type ConsentState = Decision | 'requested'

const IS_SCOPE = 'c.target = $1 AND c.requester = $2 AND c.room = $3'
const valuesOf = ({ target, requester, room }: ConsentScope): string[] => [target, requester, room]

export interface Standing {
  readonly granted: boolean
  readonly revoked: boolean
  /** There is such a user, not disabled, as far as others find it. */
  readonly found: boolean
  /** Both are in one group, as far as this server knows its members: those of groups at home here. */
  readonly meets: boolean
}

/**
 * The decisions that apply to a room; for '' to all rooms. Whom the target has blocked has no consent to anything. One statement for all targets,
 * known here or not.
 */
export async function readStanding(sql: Sql, { target, requester, room }: ConsentScope): Promise<Standing> {
  const { rows } = await sql.query<Standing>({
    name: 'read_standing',
    text: `SELECT coalesce(bool_or(state = 'granted'), false) AS granted,
                  coalesce(bool_or(state = 'revoked'), false) OR EXISTS (SELECT FROM user_block WHERE blocker = $1 AND blocked = $2) AS revoked,
                  EXISTS (SELECT FROM account a WHERE a.user_uri = $1 AND a.disabled_at IS NULL
                             AND NOT EXISTS (SELECT FROM unsearchable_account u WHERE u.account_id = a.id)) AS found,
                  EXISTS (SELECT FROM account a JOIN device d ON d.account_id = a.id JOIN member m ON m.device_id = d.id
                            JOIN member o ON o.gid = m.gid JOIN device e ON e.id = o.device_id JOIN account b ON b.id = e.account_id
                           WHERE a.user_uri = $1 AND a.disabled_at IS NULL AND b.user_uri = $2
                             AND m.until_seq IS NULL AND o.until_seq IS NULL) AS meets
             FROM consent WHERE target = $1 AND requester = $2 AND room IN ('', $3)`,
    values: [target, requester, room],
  })
  return rows[0] ?? { granted: false, revoked: false, found: false, meets: false }
}

/** Serializes transactions that count rows before they add one. Held until the end of the transaction. */
export async function lockUserConsents(sql: Sql, key: string): Promise<void> {
  await sql.query({ text: 'SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', values: [`consent ${key}`] })
}

/**
 * Gives the transaction something to write, whether or not it finds a user: how long a COMMIT takes would otherwise tell a peer who has an account.
 */
export async function writeInAnyCase(sql: Sql): Promise<void> {
  await sql.query({ name: 'write_in_any_case', text: `SELECT pg_logical_emit_message(true, 'consent', '')` })
}

/** Whether an account here has that name, and is not disabled. */
const isHere = (user: string) => `EXISTS (SELECT FROM account a WHERE a.user_uri = ${user} AND a.disabled_at IS NULL)`

/** What is counted against the bound: requests of one provider to one target, or of one requester. */
const OPEN_BY = {
  provider: 'o.target = $1 AND provider_of(o.requester) = provider_of($2)',
  requester: 'o.requester = $2',
} as const

/**
 * A request, which changes nothing of what was decided. Of another provider's requester only where the target has an account here.
 * @param elsewhere the target is of another provider: what it told before is then no longer the last word
 * @returns false if too many are open, or there is no such target
 */
export async function noteRequest(
  sql: Sql,
  scope: ConsentScope,
  bound: { by: keyof typeof OPEN_BY; most: number; elsewhere: boolean },
): Promise<boolean> {
  const { rowCount } = await sql.query({
    text: `INSERT INTO consent AS c (target, requester, room, state, asked_at)
           SELECT $1, $2, $3, 'requested', now()
            WHERE ${bound.by === 'provider' ? isHere('$1') : 'true'}
              AND (EXISTS (SELECT FROM consent c WHERE ${IS_SCOPE})
                OR (SELECT count(*) FROM consent o WHERE ${OPEN_BY[bound.by]} AND o.state = 'requested') < $4)
           ON CONFLICT (target, requester, room) DO UPDATE
              SET asked_at = coalesce(c.asked_at, now()), told = nullif(c.told, 'revoked'),
                  state = CASE WHEN $5 AND c.state = 'revoked' THEN 'requested' ELSE c.state END`,
    values: [...valuesOf(scope), bound.most, bound.elsewhere],
  })
  return rowCount === 1
}

/** Takes a request back. Without one, nothing happens. */
export async function cancelRequest(sql: Sql, scope: ConsentScope): Promise<void> {
  await sql.query({
    text: `WITH open AS (DELETE FROM consent c WHERE ${IS_SCOPE} AND c.state = 'requested')
           UPDATE consent c SET asked_at = NULL WHERE ${IS_SCOPE} AND c.state <> 'requested'`,
    values: valuesOf(scope),
  })
}

/**
 * What a target here wants.
 * @param told whether the requester gets to know
 * @returns false if the target has decided on too many already
 */
export async function decide(sql: Sql, scope: ConsentScope, state: Decision, told: boolean, most: number): Promise<boolean> {
  const { rowCount } = await sql.query({
    text: `INSERT INTO consent AS c (target, requester, room, state, told)
           SELECT $1, $2, $3, $4, CASE WHEN $5 THEN $4 END
            WHERE EXISTS (SELECT FROM consent c WHERE ${IS_SCOPE})
               OR (SELECT count(*) FROM consent o WHERE o.target = $1 AND o.state <> 'requested') < $6
           ON CONFLICT (target, requester, room) DO UPDATE
              SET state = excluded.state, changed_at = now(), told = coalesce(excluded.told, c.told)`,
    values: [...valuesOf(scope), state, told, most],
  })
  return rowCount === 1
}

/** The requester's provider knows of the decision, unless the target has decided otherwise since. */
export async function markTold(sql: Sql, scope: ConsentScope, state: Decision): Promise<void> {
  await sql.query({
    text: `UPDATE consent c SET told = $4 WHERE ${IS_SCOPE} AND c.state = $4`,
    values: [...valuesOf(scope), state],
  })
}

/** A decision told by the provider of a target elsewhere, of a requester who has an account here. @param most unasked decisions of that provider that one requester keeps */
export async function noteTold(sql: Sql, scope: ConsentScope, state: Decision, most: number): Promise<void> {
  await sql.query({
    text: `INSERT INTO consent AS c (target, requester, room, state, told)
           SELECT $1, $2, $3, $4, $4
            WHERE ${isHere('$2')}
              AND (EXISTS (SELECT FROM consent c WHERE ${IS_SCOPE})
                OR (SELECT count(*) FROM consent o
                     WHERE o.requester = $2 AND provider_of(o.target) = provider_of($1) AND o.asked_at IS NULL) < $5)
           ON CONFLICT (target, requester, room) DO UPDATE SET state = excluded.state, told = excluded.told, changed_at = now()`,
    values: [...valuesOf(scope), state, most],
  })
}

export interface GivenRow {
  readonly requester: string
  readonly room: string
  readonly state: ConsentState
  readonly changedAt: Date
}

/** What others want of a user here, but for those whom it has blocked, and what it has decided; the latest first. */
export async function consentsGivenBy(sql: Sql, target: string, limit: number): Promise<GivenRow[]> {
  const { rows } = await sql.query<GivenRow>({
    text: `SELECT requester, room, state, changed_at AS "changedAt" FROM consent
            WHERE target = $1 AND (state <> 'requested' OR NOT EXISTS (SELECT FROM user_block b WHERE b.blocker = $1 AND b.blocked = requester))
            ORDER BY changed_at DESC, requester, room LIMIT $2`,
    values: [target, limit],
  })
  return rows
}

export interface AskedRow {
  readonly target: string
  readonly room: string
  readonly state: ConsentState
}

/** What a local user may know of others' consent: no times, which would show a revocation that is kept secret. */
export async function consentsAskedBy(sql: Sql, requester: string, limit: number): Promise<AskedRow[]> {
  const { rows } = await sql.query<AskedRow>({
    text: `SELECT target, room, coalesce(told, 'requested') AS state FROM consent
            WHERE requester = $1 AND (told IS NOT NULL OR asked_at IS NOT NULL) ORDER BY target, room LIMIT $2`,
    values: [requester, limit],
  })
  return rows
}
