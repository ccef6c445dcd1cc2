import type { Pool } from 'pg'
import { eventually } from '../support/eventually.js'

/**
 * A change of an account that is not committed yet: made under the account's lock, as every change is.
 * `commitBeneath` waits until something waits behind it, then lets that see the change.
 */
export async function uncommittedChange(pool: Pool, user: string, change: string, values: unknown[]) {
  const client = await pool.connect()
  await client.query('BEGIN')
  await client.query('SELECT 1 FROM account WHERE user_uri = $1 FOR NO KEY UPDATE', [user])
  await client.query(change, values)
  const commitBeneath = async <T>(acting: Promise<T>): Promise<T> => {
    let done = false
    const outcome = acting.finally(() => (done = true))
    await eventually(
      () => waitingForLocks(pool),
      (count) => count > 0 || done,
    )
    await client.query('COMMIT')
    client.release()
    return outcome
  }
  return { commitBeneath }
}

async function waitingForLocks(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ count: bigint }>(
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()",
  )
  return Number(rows[0]?.count)
}
