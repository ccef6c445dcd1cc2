import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Pool } from 'pg'
import { appendMessages, type AppendItem } from '../src/delivery/append/append.repository.js'
import type { Sql } from '../src/platform/postgres/sql.js'

/** Groups that get messages in turn, and bytes of a message. */
export const GROUPS = 200
export const BYTES = 300

type Changes = readonly (readonly [string, string])[]
/** Lines of `append_messages`, and what stands there without them. Each must be found: a function that has changed is another measurement. */
const STORAGE: Changes = [
  ["             WHEN g.over_quota OR g.bytes + i.length > p_max_bytes THEN 'full'\n", ''],
  [', bytes = g.bytes + t.new_bytes', ''],
  [', sum(p.length) OVER in_order AS new_bytes', ''],
  [', c.new_bytes FROM', ' FROM'],
]
const INCARNATION: Changes = [
  ["             WHEN i.made_in <> g.incarnation AND (i.made_in > 0 OR i.epoch > g.reused_above) THEN 'incarnation'\n", ''],
]
const LANES: Changes = [
  ['IF p_wait_ms = 0 THEN', 'IF true THEN'],
  [
    'held := ARRAY(SELECT g.gid FROM groups g WHERE g.gid = ANY (p_gid) ORDER BY g.gid FOR NO KEY UPDATE SKIP LOCKED);',
    'held := p_gid; PERFORM 1 FROM groups g WHERE g.gid = ANY (p_gid) ORDER BY g.gid FOR NO KEY UPDATE;',
  ],
  ["             WHEN i.gid <> ALL (held) THEN 'busy'\n", ''],
]

/** The name of each variant → the lines that it does without. The copy shows what the measurement itself is worth: it should differ by nothing. */
const VARIANTS = {
  append_messages: [],
  append_copy: [],
  append_without_storage: STORAGE,
  append_without_checks: [...STORAGE, ...INCARNATION, ...LANES],
} as const satisfies Record<string, Changes>
export type Variant = keyof typeof VARIANTS

/** Installs the variants beside the function. @throws Error if a line is not in it */
export async function installVariants(sql: Sql): Promise<void> {
  const { rows } = await sql.query<{ source: string }>(`SELECT pg_get_functiondef('append_messages'::regproc) AS source`)
  for (const [name, changes] of Object.entries(VARIANTS)) {
    let source = rows[0]?.source.replace('FUNCTION public.append_messages(', `FUNCTION public.${name}(`) ?? ''
    for (const [line, instead] of changes) {
      if (!source.includes(line)) throw new Error(`append_messages has no such line any more:\n${line}`)
      source = source.replace(line, instead)
    }
    if (name !== 'append_messages') await sql.query(source)
  }
}

/** The same call of another variant, with a statement of its own. */
function calling(sql: Sql, variant: Variant): Sql {
  return {
    query: (query, values) =>
      typeof query === 'string' || query.name !== 'append_messages'
        ? sql.query(query, values)
        : sql.query({ ...query, name: variant, text: query.text.replace('append_messages(', `${variant}(`) }),
  }
}

/** Groups of one member each, ids from 1 on. */
export async function fillGroups(sql: Sql): Promise<void> {
  await sql.query({
    text: `WITH a AS (INSERT INTO account (user_uri) VALUES ('mimi://localhost/u/bench') RETURNING id)
           INSERT INTO device (account_id, client_uri) SELECT id, 'mimi://localhost/d/bench/phone' FROM a`,
  })
  await sql.query({
    text: `INSERT INTO groups (group_id, mode, cipher_suite, epoch, head_chain, room_id, payer)
           SELECT sha256(n::text::bytea), 'private', 1, 1, sha256(n::text::bytea), 'mimi://localhost/r/' || n, 1 FROM generate_series(1, $1::integer) n`,
    values: [GROUPS],
  })
  await sql.query('INSERT INTO member (device_id, gid, from_seq, join_epoch, acked) SELECT d.id, g.gid, 1, 1, 0 FROM groups g, device d')
}

function batch(size: number, from: number): AppendItem[] {
  return Array.from({ length: size }, (_, index) => {
    const hash = randomBytes(32)
    return { gid: BigInt(((from + index) % GROUPS) + 1), deviceId: 1n, epoch: 1n, madeIn: 1, hash, bytes: randomBytes(BYTES) }
  })
}

/**
 * Milliseconds for which the session of PostgreSQL has been on a core: what else the machine does is not in it. Where the system does not tell
 * that (it is not Linux), those that have gone by.
 */
async function clockOf(pool: Pool): Promise<() => Promise<number>> {
  const { rows } = await pool.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
  const file = `/proc/${rows[0]?.pid}/schedstat`
  const onCore = async () => Number((await readFile(file, 'utf8')).split(' ')[0]) / 1e6
  return (await onCore().catch(() => 0)) > 0 ? onCore : async () => performance.now()
}

/** Microseconds of one call of a variant with `size` messages. */
async function time(pool: Pool, now: () => Promise<number>, variant: Variant, items: readonly AppendItem[]): Promise<number> {
  const sql = calling(pool, variant)
  const began = await now()
  const outcomes = await appendMessages(sql, items, 5, 0, 1 << 30)
  const ended = await now()
  if (outcomes.some(({ kind }) => kind !== 'accepted')) throw new Error('A message was refused')
  return (ended - began) * 1_000
}

export interface Comparison {
  /** Messages in one call. */
  size: number
  /** Median time of a call on a core, in microseconds. */
  micros: Record<Variant, number>
  /** `append_messages` against another variant, for each round: quartiles. */
  ratios: Record<string, { quartile: number; median: number; upper: number }>
}

/**
 * By a pool of one connection. Call after call every variant has its turn, in an order that rotates: what the machine does besides falls on all of
 * them. Each round compares the medians of its calls.
 */
export async function compare(pool: Pool, size: number, rounds: number, calls: number): Promise<Comparison> {
  const names = Object.keys(VARIANTS) as Variant[]
  const now = await clockOf(pool)
  const medians = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Variant, number[]>
  for (let round = -1; round < rounds; round++) {
    const taken = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Variant, number[]>
    for (let call = 0; call < calls; call++) {
      for (const name of [...names.slice(call % names.length), ...names.slice(0, call % names.length)]) {
        taken[name].push(await time(pool, now, name, batch(size, call * size)))
      }
    }
    if (round >= 0) for (const name of names) medians[name].push(quantile(taken[name], 0.5))
  }
  const micros = Object.fromEntries(names.map((name) => [name, Math.round(quantile(medians[name], 0.5))])) as Record<Variant, number>
  const others = names.filter((name) => name !== 'append_messages')
  const ratios = others.map((name) => {
    const each = medians[name].map((median, round) => (medians.append_messages[round] ?? Number.NaN) / median)
    return [name, { quartile: quantile(each, 0.25), median: quantile(each, 0.5), upper: quantile(each, 0.75) }]
  })
  return { size, micros, ratios: Object.fromEntries(ratios) }
}

function quantile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
