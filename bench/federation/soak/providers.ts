import { cpus } from 'node:os'
import { Pool } from 'pg'
import { freePort, type Processes } from '../../processes.js'

/** A provider in a process of its own, with the settings that an operator has who has set nothing but who is there. */
export interface SoakProvider {
  readonly domain: string
  readonly url: string
  readonly pool: Pool
}

/**
 * What each provider allows another one. By default it is 6,000, for a machine of its own with two cores: here three providers, their PostgreSQL, all
 * clients and the hostile provider share two.
 */
export const REQUESTS_PER_MINUTE = Math.round(2_000 * Math.max(1, cpus().length / 2))

/** Without TLS, on loopback: everything else is as by default, all other limits too. */
export async function startProviders(processes: Processes, domains: readonly string[], hostile: Place): Promise<SoakProvider[]> {
  const first = await processes.postgres()
  const places = await Promise.all(domains.map(async (domain) => ({ domain, port: await freePort() })))
  const urls = [...places.map(({ domain, port }) => `${domain}=http://127.0.0.1:${port}`), `${hostile.domain}=${hostile.url}`].join(',')
  const maker = new Pool({ connectionString: first, max: 1 })
  const providers: SoakProvider[] = []
  for (const [index, { domain, port }] of places.entries()) {
    await maker.query(`CREATE DATABASE provider_${index}`)
    const database = first.replace(/\/[^/?]*(\?|$)/, `/provider_${index}$1`)
    const url = `http://127.0.0.1:${port}`
    await processes.server({
      DATABASE_URL: database,
      DOMAIN: domain,
      PORT: String(port),
      PUBLIC_URL: url,
      FEDERATION: 'open',
      FEDERATION_REQUESTS_PER_MINUTE: String(REQUESTS_PER_MINUTE),
      FEDERATION_PEER_URLS: urls,
      FEDERATION_ALLOWED_RANGES: '127.0.0.0/8',
    })
    providers.push({ domain, url, pool: new Pool({ connectionString: database, max: 1 }) })
  }
  await maker.end()
  return providers
}

export interface Place {
  readonly domain: string
  readonly url: string
}

/** What a provider holds. */
export interface Held {
  /** Of the database. */
  readonly bytes: number
  readonly rows: ReadonlyMap<string, number>
}

/** Counted, not estimated. */
export async function heldBy({ pool }: SoakProvider): Promise<Held> {
  const size = await pool.query<{ bytes: bigint }>('SELECT pg_database_size(current_database()) AS bytes')
  const tables = await pool.query<{ name: string }>("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
  const rows = new Map<string, number>()
  for (const { name } of tables.rows) {
    const counted = await pool.query<{ count: string }>(`SELECT count(*) FROM "${name}"`)
    rows.set(name, Number(counted.rows[0]?.count ?? 0))
  }
  return { bytes: Number(size.rows[0]?.bytes ?? 0), rows }
}

/** What its limits have refused. */
export async function refusalsOf({ domain, url }: SoakProvider): Promise<Record<string, string | number>[]> {
  const text = await metricsOf(url)
  const found = [...text.matchAll(/^limits_refused_total\{limit="([^"]+)"\} (\d+)$/gm)]
  return found.map(([, limit = '', times = '']) => ({ domain, limit, times: Number(times) }))
}

/** Seconds of CPU that its process has used. */
export async function cpuOf({ url }: SoakProvider): Promise<number> {
  return Number(/^process_cpu_seconds_total ([\d.]+)$/m.exec(await metricsOf(url))?.[1])
}

async function metricsOf(url: string): Promise<string> {
  return (await fetch(`${url}/metrics`)).text()
}
