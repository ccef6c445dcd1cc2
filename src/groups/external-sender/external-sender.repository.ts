import type { Sql } from '../../platform/postgres/sql.js'

/** `scheme`: TLS SignatureScheme; `publicKey` as MLS encodes it; `sealedPrivate`: PKCS #8, sealed under SERVER_SECRET. */
export interface StoredSenderKey {
  scheme: number
  publicKey: Buffer
  sealedPrivate: Buffer
}

/** The keys by which this server proposes, one for each signature scheme. */
export async function readExternalSenderKeys(sql: Sql): Promise<StoredSenderKey[]> {
  const { rows } = await sql.query<StoredSenderKey>(
    'SELECT scheme, public_key AS "publicKey", sealed_private AS "sealedPrivate" FROM external_sender_key ORDER BY scheme',
  )
  return rows
}

/** The first node to come wins; the others find its keys when they read. */
export async function insertExternalSenderKey(
  sql: Sql,
  key: { scheme: number; publicKey: Uint8Array; sealedPrivate: Uint8Array },
): Promise<void> {
  await sql.query({
    text: 'INSERT INTO external_sender_key (scheme, public_key, sealed_private) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
    values: [key.scheme, key.publicKey, key.sealedPrivate],
  })
}
