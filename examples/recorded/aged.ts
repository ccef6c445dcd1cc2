import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Client, type Pool } from 'pg'

/** As if the server had taken the certificates in a user's device list two days earlier: what is younger than REVOCATION_DELAY has no say. */
export async function ageCertificates(sql: Pick<Pool | Client, 'query'>, user: string): Promise<void> {
  await sql.query(
    `UPDATE device_certificate SET certified_at = certified_at - interval '2 days' WHERE account_id = (SELECT id FROM account WHERE user_uri = $1)`,
    [user],
  )
}

/** The same in the embedded PostgreSQL of a server. @param folder its DATA_DIR */
export async function ageCertificatesIn(folder: string, user: string): Promise<void> {
  const { port, password } = JSON.parse(await readFile(join(folder, 'postgres', 'microchat.json'), 'utf8')) as Record<string, string>
  const client = new Client({ host: '127.0.0.1', port: Number(port), user: 'microchat', password: String(password), database: 'microchat' })
  await client.connect()
  try {
    await ageCertificates(client, user)
  } finally {
    await client.end()
  }
}
