import { TooManyForeign, type ForeignBounds } from './foreign-bounds.js'
import type { ErasedNames } from '../accounts/erased-names.js'
import type { Sql } from '../../platform/postgres/sql.js'

/** A client of another provider, and a key that it is to hold; none: any will do. */
export interface ForeignClaim {
  readonly client: string
  readonly publicKey?: Uint8Array
  /** What its leaf says of the user's device list. */
  readonly list?: { readonly identity: Uint8Array; readonly number: number } | undefined
}

/**
 * Those of the claims that the directory here does not confirm, or of whose user it has not heard for a while, or whose list is another than the kept
 * one, or longer. Keys in canonical form.
 */
export async function unconfirmedAmong(sql: Sql, claims: readonly ForeignClaim[], maxAgeMs: number): Promise<ForeignClaim[]> {
  const { rows } = await sql.query<{ ord: bigint }>({
    name: 'confirmed_foreign',
    text: `SELECT x.ord FROM unnest($1::text[], $2::bytea[], $4::bytea[], $5::int[]) WITH ORDINALITY AS x (client, public_key, identity, number, ord)
             JOIN device d ON d.client_uri = x.client JOIN foreign_user f ON f.account_id = d.account_id
            WHERE f.fetched_at > now() - $3 * interval '1 millisecond'
              AND EXISTS (
                SELECT FROM foreign_signature_key k WHERE k.device_id = d.id AND k.public_key = coalesce(x.public_key, k.public_key))
              AND (x.identity IS NULL OR EXISTS (
                SELECT FROM foreign_device_list l
                 WHERE l.account_id = d.account_id AND l.identity = x.identity AND l.number >= x.number AND cardinality(l.ends) = l.number OFFSET 0))`,
    values: [
      claims.map(({ client }) => client),
      claims.map(({ publicKey }) => publicKey ?? null),
      maxAgeMs,
      claims.map(({ list }) => list?.identity ?? null),
      claims.map(({ list }) => list?.number ?? null),
    ],
  })
  const confirmed = new Set(rows.map(({ ord }) => Number(ord) - 1))
  return claims.filter((_, index) => !confirmed.has(index))
}

export interface ForeignDevice {
  readonly client: string
  readonly revokedAt: Date | null
  readonly keys: readonly { readonly publicKey: Uint8Array; readonly validFrom: Date; readonly validUntil: Date | null }[]
}

/**
 * Writes down what a provider says of one of its users: the devices that somebody here has asked for, and those that are known already. One that
 * it leaves out has no key any more that a leaf could be signed with, until the provider names it again. Call it in a transaction. Of a user that
 * the provider has had erased, nothing is written down before that is done: who has the name then is somebody else.
 * @param devices those in use first
 * @param wanted clients that were asked for
 * @returns devices that are revoked
 * @throws TooManyForeign
 */
export async function recordForeignUser(
  sql: Sql,
  user: string,
  { devices, wanted }: { devices: readonly ForeignDevice[]; wanted: ReadonlySet<string> },
  bounds: ForeignBounds,
  names: ErasedNames,
): Promise<bigint[]> {
  const known = await knownClients(sql, user)
  const asked = devices.filter(({ client }) => wanted.has(client) && !known.has(client))
  const news = asked.slice(0, Math.max(0, bounds.devicesOfUser - known.size))
  // Of a user who is not known, and has no device that anybody asked for, there is nothing to write down.
  if (known.size === 0 && news.length === 0) return []
  const taken = [...devices.filter(({ client }) => known.has(client)), ...news]
  const accountId = await recordAccount(sql, user, names)
  if (accountId === undefined) return []
  if (news.length > 0) await requireRoom(sql, user, news.length, bounds)
  const { rows } = await sql.query<{ id: bigint; client: string; revoked: boolean }>({
    text: `INSERT INTO device AS d (account_id, client_uri, revoked_at)
           SELECT DISTINCT ON (x.client) $1::bigint, x.client, x.revoked_at FROM unnest($2::text[], $3::timestamptz[]) AS x (client, revoked_at) ORDER BY x.client
           ON CONFLICT (client_uri) DO UPDATE SET revoked_at = coalesce(d.revoked_at, excluded.revoked_at) WHERE d.account_id = $1
           RETURNING d.id, d.client_uri AS client, d.revoked_at IS NOT NULL AS revoked`,
    values: [accountId, taken.map(({ client }) => client), taken.map(({ revokedAt }) => revokedAt)],
  })
  const ids = new Map(rows.map(({ id, client }) => [client, id]))
  const keys = taken.flatMap(({ client, keys: ofDevice }) => {
    const deviceId = ids.get(client)
    return deviceId === undefined ? [] : ofDevice.map((key) => ({ ...key, deviceId }))
  })
  await recordKeys(sql, accountId, keys)
  return rows.flatMap(({ id, revoked }) => (revoked ? [id] : []))
}

async function knownClients(sql: Sql, user: string): Promise<ReadonlySet<string>> {
  const { rows } = await sql.query<{ client: string }>({
    name: 'known_foreign_clients',
    text: `SELECT d.client_uri AS client FROM account a CROSS JOIN LATERAL (SELECT x.client_uri FROM device x WHERE x.account_id = a.id OFFSET 0) d
            WHERE a.user_uri = $1`,
    values: [user],
  })
  return new Set(rows.map(({ client }) => client))
}

/** In the lock of the provider's counters, in which the user counts already: two at the same time do not both take what is left. */
async function requireRoom(sql: Sql, user: string, devices: number, { usersOfPeer, devicesOfPeer }: ForeignBounds): Promise<void> {
  const { rows } = await sql.query<{ full: boolean }>({
    name: 'lock_foreign_counts',
    text: `SELECT foreign_users > $2 OR foreign_devices + $3 > $4 AS full FROM peer_storage WHERE domain = provider_of($1) FOR NO KEY UPDATE`,
    values: [user, usersOfPeer, devices, devicesOfPeer],
  })
  if (rows[0]?.full === true) throw new TooManyForeign()
}

/** Whether a user of another provider is written down. It stays so for half an hour at least. */
export async function holdForeignUser(sql: Sql, user: string): Promise<boolean> {
  const { rows } = await sql.query<{ due: boolean }>({
    name: 'hold_foreign_user',
    text: `WITH known AS MATERIALIZED (
             SELECT f.account_id, f.look_at < now() + interval '30 minutes' AS due
               FROM account a CROSS JOIN LATERAL (SELECT x.* FROM foreign_user x WHERE x.account_id = a.id OFFSET 0) f WHERE a.user_uri = $1
           ), held AS (
             UPDATE foreign_user f SET look_at = now() + interval '1 hour' FROM known k WHERE f.account_id = k.account_id AND k.due RETURNING f.account_id
           )
           SELECT k.due FROM known k WHERE NOT k.due OR EXISTS (SELECT FROM held)`,
    values: [user],
  })
  return rows.length > 0
}

/** See its function. @returns how many users were asked about */
export async function purgeForeignUsers(sql: Sql, limit: number): Promise<number> {
  const { rows } = await sql.query<{ asked: number }>({
    name: 'purge_foreign_users',
    text: 'SELECT purge_foreign_users(p_limit => $1) AS asked',
    values: [limit],
  })
  return rows[0]?.asked ?? 0
}

/** In several statements, so that the later ones see what another transaction has committed; runs for one user follow each other. */
async function recordAccount(sql: Sql, user: string, names: ErasedNames): Promise<bigint | undefined> {
  await sql.query({ text: 'INSERT INTO account (user_uri) VALUES ($1) ON CONFLICT DO NOTHING', values: [user] })
  const { rows } = await sql.query<{ id: bigint }>({
    text: `INSERT INTO foreign_user (account_id, fetched_at) SELECT id, now() FROM account WHERE user_uri = $1 AND deleted_at IS NULL
           ON CONFLICT (account_id) DO UPDATE SET fetched_at = now(), look_at = now() + interval '1 hour' RETURNING account_id AS id`,
    values: [user],
  })
  const id = rows[0]?.id
  // A list of its devices may have been written down before (foreign_device_list), so the row need not be new.
  if (id !== undefined) await names.claimElsewhere(sql, id, user)
  return id
}

type KeyOfDevice = ForeignDevice['keys'][number] & { readonly deviceId: bigint }

async function recordKeys(sql: Sql, accountId: bigint, keys: readonly KeyOfDevice[]): Promise<void> {
  await sql.query({
    text: 'DELETE FROM foreign_signature_key WHERE device_id = ANY (ARRAY(SELECT id FROM device WHERE account_id = $1))',
    values: [accountId],
  })
  await sql.query({
    text: `INSERT INTO foreign_signature_key (device_id, public_key, valid_from, valid_until)
           SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::timestamptz[], $4::timestamptz[]) ON CONFLICT DO NOTHING`,
    values: [
      keys.map(({ deviceId }) => deviceId),
      keys.map(({ publicKey }) => publicKey),
      keys.map(({ validFrom }) => validFrom),
      keys.map(({ validUntil }) => validUntil),
    ],
  })
  await sql.query({
    text: `UPDATE foreign_user f SET devices = (SELECT count(*) FROM device d WHERE d.account_id = $1) WHERE f.account_id = $1`,
    values: [accountId],
  })
}
