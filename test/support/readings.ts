import type { Pool } from 'pg'
import type { Client } from '../../examples/client/client.js'
import type { GroupRecord } from '../../examples/client/store.js'
import { toHex } from '../../examples/client/wire.js'
import { eventually } from './eventually.js'

/** What a stream is closed with whose device is no more. */
const REVOKED = 4403

/** What one device has read of a group in one stay there. */
export interface Reading {
  readonly client: string
  /** Seq of the entry that brought it in. */
  readonly after: number
  /** The last entry that it says to be done with. */
  readonly until: number
  /** In the order in which it has read them. */
  readonly messages: readonly { readonly seq: number; readonly from: string; readonly text: string }[]
  /** Seqs that it could not read and that are no fault. */
  readonly excused?: readonly number[]
}

/**
 * What is wrong with readings of one group: each device is to have read each message of its stay once, in the order of the log, and the same as
 * all others. @param log seqs of all application messages, as far as they are known besides
 */
export function faultsOf(readings: readonly Reading[], log: readonly number[] = []): string[] {
  const said = new Map<number, string>()
  const faults: string[] = []
  for (const { client, messages } of readings)
    for (const { seq, from, text } of messages) {
      const before = said.get(seq) ?? `${from}: ${text}`
      said.set(seq, before)
      if (before !== `${from}: ${text}`) faults.push(`${client} has read another message at ${seq} than others`)
    }
  const all = [...new Set([...log, ...said.keys()])].sort((one, other) => one - other)
  return [...faults, ...readings.flatMap((reading) => faultsOfOne(reading, all))]
}

function faultsOfOne({ client, after, until, messages, excused = [] }: Reading, all: readonly number[]): string[] {
  const read = messages.map(({ seq }) => seq)
  const missing = all.filter((seq) => seq > after && seq <= until && !read.includes(seq) && !excused.includes(seq))
  const doubled = read.filter((seq, index) => read.indexOf(seq) !== index)
  const early = read.filter((seq, index) => index > 0 && seq < read[index - 1]!)
  const outside = read.filter((seq) => seq <= after || seq > until)
  return [
    ...missing.map((seq) => `${client} has not read ${seq}`),
    ...doubled.map((seq) => `${client} has read ${seq} twice`),
    ...early.map((seq) => `${client} has read ${seq} after what came later`),
    ...outside.map((seq) => `${client} has read ${seq}, which is not of its stay (${after + 1} to ${until})`),
  ]
}

/** A group as the database of its hub has it. */
interface Truth {
  readonly incarnation: number
  readonly head: number
  readonly messages: readonly number[]
}

/** Groups that these devices know, by their ids in hex. Those of the time before a restore are left out. */
function groupsOf(clients: readonly Client[]): Map<string, { client: Client; record: GroupRecord }[]> {
  const groups = new Map<string, { client: Client; record: GroupRecord }[]>()
  for (const client of clients)
    for (const record of [...client.former, ...client.store.groups.values()]) {
      const id = toHex(record.groupId)
      groups.set(id, [...(groups.get(id) ?? []), { client, record }])
    }
  return groups
}

/** @param pools databases of all providers; replicas are not asked */
async function truthOf(pools: readonly Pool[], id: string): Promise<Truth | undefined> {
  for (const pool of pools) {
    const { rows } = await pool.query<{ incarnation: number; head: bigint; messages: bigint[] }>(
      `SELECT g.incarnation, g.head_seq AS head, coalesce(array_agg(l.seq ORDER BY l.seq) FILTER (WHERE l.kind = 'a'), '{}') AS messages
         FROM groups g LEFT JOIN log l USING (gid)
        WHERE g.group_id = decode($1, 'hex') AND NOT EXISTS (SELECT FROM followed_group f WHERE f.gid = g.gid) GROUP BY g.gid`,
      [id],
    )
    const [row] = rows
    if (row) return { ...row, head: Number(row.head), messages: row.messages.map(Number) }
  }
  return undefined
}

/** What is wrong with all that these devices have read, up to where each says to have read. Empty: nothing is. */
async function readingFaults(clients: readonly Client[], pools: readonly Pool[], except: readonly Client[]): Promise<string[]> {
  const faults: string[] = []
  for (const [id, records] of groupsOf(clients)) {
    const truth = await truthOf(pools, id)
    const present = records.filter(({ record }) => !truth || record.incarnation === truth.incarnation)
    const readings = present.map(({ client, record }) => ({
      client: client.uri,
      after: record.joinedAt,
      until: record.cursor,
      messages: record.messages,
      excused: except.includes(client) ? record.failures.map(({ seq }) => seq) : [],
    }))
    faults.push(...faultsOf(readings, truth?.messages))
  }
  return faults
}

/**
 * Waits until each device that is in a group and has a stream has read all of its log, and checks what all have read.
 * @param except devices that cannot come to the end, or have noted what they could not read: what they have read is checked all the same
 * @throws Error that names each message that is missing, doubled or out of order
 */
export async function everyoneHasRead(clients: readonly Client[], pools: readonly Pool[], except: readonly Client[] = []): Promise<void> {
  const waited = clients.filter((client) => client.stream && !except.includes(client))
  for (const [id, records] of groupsOf(waited))
    await eventually(
      async () => {
        const truth = await truthOf(pools, id)
        const behind = records.filter(({ client, record }) => {
          const isRevoked = client.stream?.lastClose === REVOKED
          const current = client.store.groups.get(id) === record && record.standing === 'member' && !isRevoked
          return current && record.incarnation === truth?.incarnation && record.cursor < truth.head
        })
        return behind.map(({ client, record }) => `${client.uri} is at ${record.cursor} of ${truth?.head}`)
      },
      (behind) => behind.length === 0,
    )
  const faults = await readingFaults(clients, pools, except)
  if (faults.length > 0) throw new Error(`Not everyone has read everything once and in order:\n${faults.join('\n')}`)
}
