import { createHash } from 'node:crypto'
import type { Pool } from 'pg'

/** A group of the measurement. */
export interface BenchGroup {
  /** `opaque group_id<V>`. */
  readonly groupId: Uint8Array
  /** Indices of its members among the devices. */
  readonly members: readonly number[]
}

export const EPOCH = 1

/**
 * Private groups at epoch 1, written directly: to make thousands of them as clients do would take longer than what is measured.
 * @param clients client URIs of devices that are registered
 * @param name what tells these groups from others of the run
 */
export async function makeGroups(pool: Pool, name: string, clients: readonly string[], count: number, size: number): Promise<BenchGroup[]> {
  const groups = Array.from({ length: count }, (_, index) => ({
    groupId: createHash('sha256').update(`${name} ${index}`).digest(),
    members: Array.from({ length: size }, (_, place) => (index * size + place) % clients.length),
  }))
  await pool.query(
    `INSERT INTO groups (group_id, mode, cipher_suite, epoch, head_chain, room_id)
     SELECT x.id, 'private', 1, $2, log_chain_start(x.id, 1), $3 || encode(x.id, 'hex') FROM unnest($1::bytea[]) AS x (id)`,
    [groups.map(({ groupId }) => groupId), EPOCH, 'mimi://localhost/r/'],
  )
  const members = groups.flatMap(({ groupId, members: all }) => all.map((index) => ({ groupId, client: clients[index] ?? '' })))
  await pool.query(
    `INSERT INTO member (device_id, gid, from_seq, join_epoch, acked)
     SELECT d.id, g.gid, 1, $3, 0 FROM unnest($1::bytea[], $2::text[]) AS x (group_id, client)
       JOIN groups g ON g.group_id = x.group_id JOIN device d ON d.client_uri = x.client`,
    [members.map(({ groupId }) => groupId), members.map(({ client }) => client), EPOCH],
  )
  await pool.query('ANALYZE groups, member')
  return groups
}

/** PrivateMessage (RFC 9420 §6.3.1) of content type application, in an MLSMessage. The last bytes of its ciphertext are for a number that makes it unlike others. */
export function applicationMessage(groupId: Uint8Array, bytes: number): Buffer {
  const vector = (value: Uint8Array) => {
    const { length } = value
    const prefix = length < 64 ? Buffer.of(length) : Buffer.of(0x40 | (length >> 8), length & 0xff)
    return Buffer.concat([prefix, value])
  }
  const head = Buffer.alloc(9)
  head.writeBigUInt64BE(BigInt(EPOCH))
  head[8] = 1
  const parts = [
    Buffer.of(0, 1, 0, 2),
    vector(groupId),
    head,
    vector(Buffer.of()),
    vector(Buffer.alloc(28, 1)),
    vector(Buffer.alloc(bytes, 2)),
  ]
  return Buffer.concat(parts)
}

/** Entries that the log has of these groups. */
export async function countEntries(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ count: string }>('SELECT count(*) FROM log')
  return Number(rows[0]?.count)
}

/** As if all devices had read everything: what they missed while nobody read is another measurement. */
export async function acknowledgeAll(pool: Pool): Promise<void> {
  // In the order in which the server's own acknowledgements lock the rows, of which the last may still be under way.
  await pool.query(
    `WITH behind AS (
       SELECT m.device_id, m.gid, g.head_seq FROM member m JOIN groups g ON g.gid = m.gid WHERE m.acked < g.head_seq
        ORDER BY m.device_id, m.gid FOR NO KEY UPDATE OF m
     )
     UPDATE member m SET acked = b.head_seq FROM behind b WHERE b.gid = m.gid AND b.device_id = m.device_id`,
  )
}
