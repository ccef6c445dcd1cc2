import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mkdtemp, rm } from 'node:fs/promises'
import { Pool } from 'pg'
import { machineCpuMs, Processes } from './processes.js'
import { describeSamples, printTable, round } from './samples.js'
import { StatementLimits } from './throughput/limits.js'
import { acknowledgeAll, countEntries, makeGroups, type BenchGroup } from './throughput/scene.js'
import { writePage } from './throughput/page.js'
import { Traffic, type Order, type Report } from './throughput/traffic.js'

/**
 * `npm run bench`: durable messages per second, beside what the same PostgreSQL does with one minimal statement for each, in turns within one run.
 * `-- smoke` is a short run that says nothing of speed: it fails if a message was refused, lost, doubled or out of order. `-- json` prints JSON, `-- docs` writes docs/performance.md.
 */
const [SMOKE, JSON_ONLY] = [process.argv.includes('smoke'), process.argv.includes('json')]
const [ROUNDS, SECONDS] = SMOKE ? [1, 1] : [3, 8]
const DEVICES = SMOKE ? 16 : 64
const GROUPS = SMOKE ? 20 : 500
const MEMBERS = 8
/** Of a ciphertext, about those of one line of chat with its padding and media keys. */
const BYTES = 1_024
const SETTINGS = {
  ACCESS_TOKEN_TTL: '1h',
  LOGINS_PER_MINUTE: '100000',
  ANONYMOUS_PER_MINUTE: '100000',
  MESSAGES_PER_MINUTE: '1000000',
  REQUESTS_PER_DEVICE_PER_MINUTE: '1000000',
}

interface Row {
  readonly work: string
  readonly limit: 'inserts' | 'one row'
  readonly aim: number
  readonly order: Omit<Extract<Order, { do: 'run' }>, 'do'>
  /** Whether all devices have their streams open. */
  readonly read: boolean
}

function rowsFor(many: readonly BenchGroup[], hot: readonly BenchGroup[]): Row[] {
  const order = { seconds: SECONDS, inFlight: 64, bytes: BYTES, deliveriesEach: MEMBERS, groups: many }
  const alone = { ...order, way: 'http', deliveriesEach: 0 } as const
  return [
    { work: 'in by HTTP, nobody reads', limit: 'inserts', aim: 1, read: false, order: alone },
    { work: 'in by stream, out to 8 devices by stream, acks', limit: 'inserts', aim: 0.6, read: true, order: { ...order, way: 'stream' } },
    { work: 'in by HTTP, out to 8 devices by stream, acks', limit: 'inserts', aim: 0.6, read: true, order: { ...order, way: 'http' } },
    { work: 'one group, 64 senders by HTTP', limit: 'one row', aim: 3, read: false, order: { ...alone, groups: hot } },
  ]
}

interface Measured {
  readonly rate: number
  readonly p50: number
  readonly p99: number
  /** Microseconds of CPU for each message. */
  readonly server: number
  readonly generator: number
  /** PostgreSQL, and what the kernel does for nobody in particular. */
  readonly rest: number
}

class Bench {
  readonly wrong: string[] = []

  constructor(
    private readonly url: string,
    private readonly pool: Pool,
    private readonly traffic: Traffic,
  ) {}

  async measure({ work, order, read }: Row): Promise<Measured> {
    if (read) {
      await acknowledgeAll(this.pool)
      await this.traffic.connect()
    }
    const [entries, cpu, machine] = [await countEntries(this.pool), await serverCpu(this.url), machineCpuMs()]
    const report = await this.traffic.run(order)
    const server = ((await serverCpu(this.url)) - cpu) * 1e6
    const all = (machineCpuMs() - machine) * 1e3
    if (read) await this.traffic.disconnect()
    this.check(work, order.deliveriesEach * report.accepted, report, (await countEntries(this.pool)) - entries)
    const each = (micros: number) => round(micros / report.accepted)
    const generator = report.cpuSeconds * 1e6
    const rate = round(report.accepted / report.seconds)
    return {
      rate,
      ...describeSamples(report.latencies),
      server: each(server),
      generator: each(generator),
      rest: each(all - server - generator),
    }
  }

  private check(work: string, expected: number, { accepted, refused, entries, wrong }: Report, stored: number): void {
    if (refused > 0) this.wrong.push(`${work}: ${refused} were refused`)
    if (stored !== accepted) this.wrong.push(`${work}: ${accepted} were accepted, the log has ${stored} of them`)
    if (entries !== expected || wrong > 0) this.wrong.push(`${work}: ${entries} of ${expected} entries came, ${wrong} out of order`)
  }
}

async function serverCpu(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(/^process_cpu_seconds_total ([\d.]+)$/m.exec(text)?.[1])
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

export interface Result extends Measured {
  readonly work: string
  readonly limit: string
  /** Of the limit's rate; NaN without one. */
  readonly ratio: number
  /** Of the ratios of all rounds. */
  readonly spread: string
  readonly aim: number
}

/** All rows and their limits in turns, as the machine is not the same from one minute to the next. */
async function measureAll(bench: Bench, rows: readonly Row[], limits: StatementLimits | undefined): Promise<Result[]> {
  const found = new Map<string, { measured: Measured; ratio: number }[]>(rows.map(({ work }) => [work, []]))
  for (let count = 0; count < ROUNDS; count++) {
    const rates = { inserts: await limits?.inserts(SECONDS), 'one row': await limits?.oneRow(SECONDS) }
    for (const row of rows) {
      const measured = await bench.measure(row)
      if (!JSON_ONLY) console.error(`${row.work}: ${measured.rate} a second`)
      found.get(row.work)?.push({ measured, ratio: measured.rate / (rates[row.limit] ?? Number.NaN) })
    }
    if (!JSON_ONLY)
      console.error(
        `Round ${count + 1}: pgbench ${round(rates.inserts ?? Number.NaN)} inserts a second, ${round(rates['one row'] ?? Number.NaN)} updates of one row`,
      )
  }
  return rows.map(({ work, limit, aim }) => {
    const rounds = found.get(work) ?? []
    const of = (name: keyof Measured) => median(rounds.map(({ measured }) => measured[name]))
    const each = { rate: of('rate'), p50: of('p50'), p99: of('p99'), server: of('server'), generator: of('generator'), rest: of('rest') }
    const ratios = rounds.map(({ ratio }) => ratio).toSorted((a, b) => a - b)
    const spread = `${round(ratios[0] ?? Number.NaN)} to ${round(ratios.at(-1) ?? Number.NaN)}`
    return { work, limit, ratio: round(median(ratios)), spread, aim, ...each }
  })
}

function print(results: readonly Result[]): void {
  if (JSON_ONLY) return console.log(JSON.stringify(results))
  printTable(
    results.map(({ work, rate, ratio, limit, aim, p50, p99, server, generator, rest }) => {
      const cpu = { 'server µs': server, 'generator µs': generator, 'PostgreSQL and rest µs': rest }
      return { work, '× limit': ratio, limit, aim, 'a second': rate, 'p50 ms': p50, 'p99 ms': p99, ...cpu }
    }),
  )
}

async function main(processes: Processes, traffic: Traffic, folder: string): Promise<string[]> {
  const database = await processes.postgres()
  const url = await processes.server({ DATABASE_URL: database, ...SETTINGS })
  const pool = new Pool({ connectionString: database, max: 2 })
  try {
    const limits = SMOKE ? undefined : await StatementLimits.prepare(pool, database, folder)
    if (!limits && !SMOKE) console.error('pgbench is not on the path: there is no limit to compare with')
    const clients = await traffic.register(url, DEVICES)
    const many = await makeGroups(pool, 'many', clients, GROUPS, MEMBERS)
    const hot = await makeGroups(pool, 'hot', clients, 1, DEVICES)
    const bench = new Bench(url, pool, traffic)
    const results = await measureAll(bench, rowsFor(many, hot), limits)
    print(results)
    if (process.argv.includes('docs')) await writePage(pool, results)
    return bench.wrong
  } finally {
    await pool.end()
  }
}

const [processes, traffic, folder] = [await Processes.start(), Traffic.start(), await mkdtemp(join(tmpdir(), 'microchat-pgbench-'))]
try {
  const wrong = await main(processes, traffic, folder)
  for (const one of wrong) console.error(one)
  // As .ci/run counts it.
  if (SMOKE) console.log(`${wrong.length === 0 ? 1 : 0} passed, ${wrong.length} failed`)
  process.exitCode = wrong.length === 0 ? 0 : 1
} finally {
  await traffic.stop()
  await processes.stop()
  await rm(folder, { recursive: true, force: true })
}
