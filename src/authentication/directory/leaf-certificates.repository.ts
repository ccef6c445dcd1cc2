import type { Sql } from '../../platform/postgres/sql.js'
import { canonicalKey } from '../../protocol/signature-key.js'
import { numbersIn, type ListedCertificate, type ShownLeaf } from './leaf-certificates.js'

/**
 * What the present list of the user of device `d` says of a leaf `x`: of the certificate `x.certificate`, or where that is null and `x.by_key` is true,
 * of the active one that names `x.public_key`. "OFFSET 0" makes each a few look-ups.
 */
export const LISTED_CERTIFICATE = `LEFT JOIN LATERAL (
    SELECT l.identity, l.number AS "listNumber", l.identities, c.number, e.bytes AS certificate, s.bytes AS shown, c.ended, w.bytes AS ending
      FROM device_list l
      JOIN device_certificate c ON c.account_id = l.account_id AND c.identity = l.identity
       AND c.number = coalesce(x.certificate, (SELECT k.certificate FROM signature_key k WHERE k.public_key = x.public_key AND k.device_id = d.id))
      JOIN device_list_entry e ON e.account_id = l.account_id AND e.identity = l.identity AND e.number = c.number
      LEFT JOIN device_list_entry s ON s.account_id = l.account_id AND s.identity = l.identity AND s.number = x.list_number
      LEFT JOIN device_list_entry w ON w.account_id = l.account_id AND w.identity = l.identity AND w.number = c.ended
     WHERE l.account_id = d.account_id
     UNION ALL
    SELECT f.identity, f.number, f.identities, x.certificate, f.entries[x.certificate], f.entries[x.list_number], f.ends[x.certificate],
           f.entries[f.ends[x.certificate]]
      FROM foreign_device_list f WHERE f.account_id = d.account_id AND x.certificate IS NOT NULL
    OFFSET 0
  ) listed ON x.certificate IS NOT NULL OR x.by_key`

/** Its columns. */
export const LISTED_COLUMNS = `listed.identity, listed."listNumber", listed.number, listed.certificate, listed.shown, listed.ended, listed.ending`

/**
 * Of leaves of one device, in their order. @param byKey of leaves without the extension also what the list says of their key
 */
export async function listedCertificates(
  sql: Sql,
  deviceId: bigint,
  leaves: readonly ShownLeaf[],
  byKey: boolean,
): Promise<ListedCertificate[]> {
  if (leaves.length === 0) return []
  const numbers = leaves.map(({ extension }) => numbersIn(extension))
  const { rows } = await sql.query<ListedCertificate>({
    name: 'listed_certificates',
    text: `SELECT ${LISTED_COLUMNS}
             FROM unnest($2::bytea[], $3::integer[], $4::integer[], $5::boolean[]) WITH ORDINALITY
               AS x (public_key, certificate, list_number, by_key, ord)
            CROSS JOIN LATERAL (SELECT * FROM device WHERE device.id = $1 OFFSET 0) d
            ${LISTED_CERTIFICATE}
            ORDER BY x.ord`,
    values: [
      deviceId,
      leaves.map(({ publicKey }) => Buffer.from(canonicalKey(publicKey)?.publicKey ?? [])),
      numbers.map(({ certificate }) => certificate),
      numbers.map(({ listNumber }) => listNumber),
      leaves.map(() => byKey),
    ],
  })
  return rows
}
