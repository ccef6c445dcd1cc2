import type { ForeignDevice } from '../../authentication/directory/foreign-devices.repository.js'
import type { Sql } from '../../platform/postgres/sql.js'

/** What vouches for one user follow each other: each keeps what the one before it has written. Until the end of the transaction. */
export async function lockVouching(sql: Sql, user: string): Promise<void> {
  await sql.query({ name: 'lock_vouching', text: `SELECT pg_advisory_xact_lock(hashtextextended('vouched ' || $1, 0))`, values: [user] })
}

/** The devices of another provider's user with their keys, as they are written down here. */
export async function readForeignDevices(sql: Sql, user: string): Promise<ForeignDevice[]> {
  const { rows } = await sql.query<{
    client: string
    revokedAt: Date | null
    publicKey: Buffer | null
    validFrom: Date
    validUntil: Date | null
  }>({
    name: 'read_foreign_devices',
    text: `SELECT d.client_uri AS client, d.revoked_at AS "revokedAt", k.public_key AS "publicKey", k.valid_from AS "validFrom", k.valid_until AS "validUntil"
             FROM account a JOIN foreign_user f ON f.account_id = a.id JOIN device d ON d.account_id = a.id
             LEFT JOIN foreign_signature_key k ON k.device_id = d.id
            WHERE a.user_uri = $1 ORDER BY d.id, k.valid_from DESC`,
    values: [user],
  })
  return [...Map.groupBy(rows, ({ client }) => client)].map(([client, ofDevice]) => ({
    client,
    revokedAt: ofDevice[0]?.revokedAt ?? null,
    keys: ofDevice.flatMap(({ publicKey, validFrom, validUntil }) => (publicKey ? [{ publicKey, validFrom, validUntil }] : [])),
  }))
}

/** The word of the user's provider is of now; written down once an hour at most. */
export async function confirmForeignUser(sql: Sql, user: string): Promise<void> {
  await sql.query({
    name: 'confirm_foreign_user',
    text: `UPDATE foreign_user f SET fetched_at = now() FROM account a
            WHERE a.user_uri = $1 AND f.account_id = a.id AND f.fetched_at < now() - interval '1 hour'`,
    values: [user],
  })
}

/** A device of the user that is a member of the group: any, as the draft names the user only. */
export async function memberClientOf(sql: Sql, groupId: Uint8Array, user: string): Promise<string | undefined> {
  const { rows } = await sql.query<{ client: string }>({
    name: 'member_client_of',
    text: `SELECT d.client_uri AS client FROM account a JOIN device d ON d.account_id = a.id JOIN member m ON m.device_id = d.id
             JOIN groups g ON g.gid = m.gid
            WHERE a.user_uri = $2 AND g.group_id = $1 AND m.until_seq IS NULL AND d.revoked_at IS NULL ORDER BY m.from_seq LIMIT 1`,
    values: [groupId, user],
  })
  return rows[0]?.client
}

/** When the hub here took these bytes, of a group that the provider gets the log of; undefined if it did not. @param hash SHA-256 */
export async function acceptedEarlier(sql: Sql, domain: string, groupId: Uint8Array, hash: Uint8Array): Promise<Date | undefined> {
  const { rows } = await sql.query<{ at: Date }>({
    name: 'accepted_earlier',
    text: `SELECT l.accepted_at AS at FROM groups g JOIN peer_cursor c ON c.gid = g.gid AND c.domain = $1
             JOIN log l ON l.gid = g.gid AND l.hash = $3 WHERE g.group_id = $2 AND g.deleted_at IS NULL LIMIT 1`,
    values: [domain, groupId, hash],
  })
  return rows[0]?.at
}
