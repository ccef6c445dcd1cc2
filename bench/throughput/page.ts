import { cpus } from 'node:os'
import { writeFile } from 'node:fs/promises'
import type { Pool } from 'pg'
import type { Result } from '../throughput.js'

const FILE = new URL('../../../docs/performance.md', import.meta.url)

/** Writes docs/performance.md: the same figures on another machine are other figures, so it says which one this was. */
export async function writePage(pool: Pool, results: readonly Result[]): Promise<void> {
  const { rows } = await pool.query<{ version: string }>("SELECT current_setting('server_version') AS version")
  const [first] = cpus()
  const machine = `${cpus().length} cores (${first?.model.trim() ?? 'of an unknown kind'}), Node ${process.versions.node}, PostgreSQL ${rows[0]?.version}`
  const table = results.map(
    ({ work, ratio, spread, limit, aim, rate, p50, p99, server, generator, rest }) =>
      `| ${[work, `${ratio} (${spread})`, limit, aim, rate, `${p50} / ${p99}`, server, generator, rest].join(' | ')} |`,
  )
  await writeFile(FILE, [...HEAD(machine), ...table, ...FOOT].join('\n'))
}

const HEAD = (machine: string): string[] => [
  '# Performance',
  '',
  '`npm run bench -- docs` writes this page. Each figure stands beside its limit, which was measured in turns with it within the same run, as no machine',
  'is the same from one minute to the next; figures are medians of the rounds, and ratios say more than rates. PostgreSQL, the server and the generator',
  'share the machine. Messages are durable (`fsync` and `synchronous_commit` are on) before they are accepted.',
  '',
  `This run: ${machine}.`,
  '',
  '| work | × limit (all rounds) | limit | aim | messages a second | ms until the answer, median / 99th percentile | µs of CPU a message: server | generator | PostgreSQL and the rest |',
  '| --- | --- | --- | --- | --- | --- | --- | --- | --- |',
]

const FOOT = [
  '',
  'The limits: `inserts` are transactions of one INSERT of 1 KiB each, by 32 clients of `pgbench`; `one row` are updates of one and the same row, by 64.',
  'Ciphertexts have 1 KiB. 64 posts wait for their answer at a time. There are 500 groups of 8 devices, or one of 64; a device acknowledges once a second.',
  'By HTTP each request has a proof of possession of its own (DPoP), as by default; a stream has one.',
  '',
  'What has an aim and no row yet is not measured yet: Commits, large groups, backfill beside live traffic, idle devices, WAL, KeyPackages, sealed posts,',
  'federated delivery, cold start and overload.',
  '',
]
