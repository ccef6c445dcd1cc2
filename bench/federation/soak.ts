import { setTimeout as sleep } from 'node:timers/promises'
import { machineCpuMs, Processes } from '../processes.js'
import { describeSamples, printTable, round } from '../samples.js'
import { HonestLoad, type Samples } from './soak/honest-load.js'
import { HostileProcess } from './soak/hostile-process.js'
import { cpuOf, heldBy, refusalsOf, startProviders, type Held, type SoakProvider } from './soak/providers.js'

/**
 * `npm run bench -- federation/soak [MINUTES]`: one hub and two followers, whose users chat, and one hostile provider that does everything
 * that tests in test/federation/hostile/ have it do, at the rate that each provider allows it. The same chat is measured before, without the
 * hostile provider. It fails if the 99th percentile with it is more than twice the one without it, if a member has missed
 * or doubled a message, or if what the providers hold grows by more than `MOST_BYTES`.
 */
const DOMAINS = ['a.example', 'b.example', 'd.example']
const MOST_TIMES = 2
/** Of a provider's database, in the whole time with the hostile provider; the honest chat writes into it as well. */
const MOST_BYTES = 256 * 1024 * 1024
const WARM_UP_MS = 20_000

const minutes = Number(process.argv[3] ?? 30)
if (!(minutes > 0 && minutes <= 120)) throw new Error('How many minutes? At most 120')

/** What a phase used of the processors, in cores: nothing can be said of the servers where the whole machine is busy. */
type Cores = Record<string, number>

async function phase(load: HonestLoad, providers: readonly SoakProvider[], ms: number): Promise<Samples & { cores: Cores }> {
  load.take()
  const before = await Promise.all(providers.map(cpuOf))
  const [own, all] = [process.cpuUsage(), machineCpuMs()]
  await sleep(ms)
  const used = (await Promise.all(providers.map(cpuOf))).map((now, index) => now - (before[index] ?? 0))
  const { user, system } = process.cpuUsage(own)
  const cores = Object.fromEntries(providers.map(({ domain }, index) => [domain, round(((used[index] ?? 0) * 1_000) / ms)]))
  const machine = machineCpuMs() - all
  return { ...load.take(), cores: { ...cores, clients: round((user + system) / 1_000 / ms), machine: round(machine / ms) } }
}

interface Compared {
  readonly name: string
  readonly calm: number
  readonly attacked: number
}

function compare(calm: Samples, attacked: Samples): Compared[] {
  return Object.entries(timesOf(calm)).map(([name, without]) => {
    const given = timesOf(attacked)[name] ?? []
    const [before, during] = [describeSamples(without), describeSamples(given)]
    const counts = { 'without, n': without.length, 'with, n': given.length }
    printTable([
      { what: name, ...counts, 'p50 without': before.p50, 'p50 with': during.p50, 'p99 without': before.p99, 'p99 with': during.p99 },
    ])
    return { name, calm: before.p99, attacked: during.p99 }
  })
}

/** Milliseconds. */
function timesOf({ delivered, committed, read }: Samples): Record<string, readonly number[]> {
  return { delivered: delivered.map(({ ms }) => ms), committed, read }
}

/** Which messages took longest, and when: stalls show as neighbours. */
function printSlowest({ since, delivered }: Samples): void {
  const slowest = delivered.toSorted((a, b) => b.ms - a.ms).slice(0, 20)
  printTable(
    slowest
      .toSorted((a, b) => a.planned - b.planned)
      .map(({ planned, from, to, ms }) => ({ 'sent, s': round((planned - since) / 1_000), from, to, ms: round(ms) })),
  )
}

/** Of what a provider holds: all tables that grew. @returns by how many bytes its database grew */
function printGrowth({ domain }: SoakProvider, before: Held, after: Held): number {
  const grown = [...after.rows]
    .map(([table, rows]) => ({ table, grew: rows - (before.rows.get(table) ?? 0), rows }))
    .filter(({ grew }) => grew > 0)
  console.log(`${domain}: ${round((after.bytes - before.bytes) / 1024 / 1024)} MiB more`)
  printTable(grown)
  return after.bytes - before.bytes
}

async function measure(processes: Processes): Promise<string[]> {
  const hostile = await HostileProcess.start()
  const providers = await startProviders(processes, DOMAINS, hostile)
  const load = await HonestLoad.start(providers)
  try {
    await phase(load, providers, WARM_UP_MS)
    const calm = await phase(load, providers, Math.max(60_000, (minutes * 60_000) / 3))
    const before = await Promise.all(providers.map(heldBy))
    hostile.attack(providers)
    const attacked = await phase(load, providers, minutes * 60_000)
    printTable(await hostile.stop())
    const after = await Promise.all(providers.map(heldBy))
    await load.stop()
    const slow = compare(calm, attacked).filter(({ calm: p99, attacked: with99 }) => with99 > MOST_TIMES * p99)
    printTable([
      { cores: 'without', ...calm.cores },
      { cores: 'with', ...attacked.cores },
    ])
    printSlowest(attacked)
    const big = providers.filter((one, index) => {
      const [from, to] = [before[index], after[index]]
      return from && to && printGrowth(one, from, to) > MOST_BYTES
    })
    printTable(
      Object.entries({ without: calm, with: attacked }).flatMap(([phase, { failed }]) =>
        [...failed].map(([how, times]) => ({ phase, how, times })),
      ),
    )
    for (const one of providers) printTable(await refusalsOf(one))
    return [
      ...slow.map(({ name }) => `${name}: the 99th percentile is more than ${MOST_TIMES} times that without the hostile provider`),
      ...big.map(({ domain }) => `${domain} holds more than ${MOST_BYTES} bytes more`),
      ...(attacked.failed.size > calm.failed.size ? ['honest users were refused'] : []),
    ]
  } finally {
    await hostile.stop()
    await Promise.all(providers.map(({ pool }) => pool.end()))
  }
}

const processes = await Processes.start()
try {
  const wrong = await measure(processes)
  for (const one of wrong) console.error(one)
  process.exitCode = wrong.length === 0 ? 0 : 1
} finally {
  await processes.stop()
}
