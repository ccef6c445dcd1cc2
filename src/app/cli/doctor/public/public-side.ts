import { z } from 'zod'
import type { Config } from '../../../../platform/config/config.js'
import { MimiDirectory, readKeyDirectory } from '../../../../federation/identity/directory-document.js'
import { PATH_CHECK, QUERY_CHECK } from '../../../operations/path-check.js'
import { examine, ok, problem, reasonOf, warning, type Diagnosis, type Finding } from '../finding.js'
import { examineCertificate } from './certificate.js'
import { examineStreams } from './streams.js'

const TIMEOUT_MS = 5_000
/** Answered by every node without a session, and by nothing else. */
const KEYS = '/.well-known/jwks.json'
/** Paths for orchestrators and Prometheus only. */
const INTERNAL = ['/metrics', '/health/live', '/health/ready']
/** The path that other providers read. */
const DIRECTORY = '/.well-known/mimi-protocol-directory'

/** What the path check answers (src/app/operations/path-check.ts). */
const Arrived = z.object({ unaltered: z.boolean() })

/** The way in, as clients come: name, certificate, proxy. Nothing is asked of it unless PUBLIC_URL says where it is. */
export async function examinePublicSide(config: Config): Promise<Diagnosis[]> {
  const { PUBLIC_URL } = config
  if (!PUBLIC_URL) return []
  const certificate = PUBLIC_URL.startsWith('https:') ? await examine('certificate', () => examineCertificate(PUBLIC_URL)) : []
  if (certificate.some(({ grade }) => grade === 'problem')) return certificate
  const reach = await examine('public url', () => examineReach(PUBLIC_URL))
  if (reach.some(({ grade }) => grade !== 'ok')) return [...certificate, ...reach]
  const hidden = await examine('internal routes', () => examineHidden(PUBLIC_URL))
  const streams = await examine('streams', () => examineStreams(PUBLIC_URL))
  const paths = await examine('paths', () => examinePaths(config))
  const directory = await examine('federation', () => examineDirectory(config))
  return [...certificate, ...reach, ...hidden, ...streams, ...paths, ...directory]
}

async function examineReach(url: string): Promise<Finding[]> {
  const answer = await get(url + KEYS).catch(reasonOf)
  if (typeof answer === 'string')
    return [
      warning(`PUBLIC_URL cannot be reached from here (${answer}). If it cannot be from elsewhere either, look at the proxy and its name.`),
    ]
  const body: unknown = await answer.json().catch(() => undefined)
  if (answer.ok && typeof body === 'object' && body !== null && 'keys' in body) return [ok('PUBLIC_URL leads to a MicroChat server.')]
  return [problem(`PUBLIC_URL answers ${answer.status} where this server would show its keys: it leads elsewhere, or to no live node.`)]
}

/** Metrics show strangers the server's activity; both paths are for internal networks only. */
async function examineHidden(url: string): Promise<Finding[]> {
  const open: string[] = []
  for (const path of INTERNAL) if (await answersAsOurs(url + path)) open.push(path)
  if (open.length === 0) return [ok('Metrics and health cannot be read through PUBLIC_URL.')]
  return [
    warning(
      `${open.join(', ')} can be read by anyone through PUBLIC_URL. Set OPERATIONS_PORT, or let the proxy refuse /metrics and /health.`,
    ),
  ]
}

async function answersAsOurs(url: string): Promise<boolean> {
  const answer = await get(url)
  const text = await answer.text()
  return /"checks":|"status":"ok"|^# HELP /m.test(text)
}

/** Other providers look at the domain, whatever PUBLIC_URL is: the directory is what leads them there. */
async function examineDirectory({ DOMAIN, FEDERATION, PUBLIC_URL }: Config): Promise<Finding[]> {
  if (FEDERATION === 'off' || !PUBLIC_URL) return []
  const bases = new Set([PUBLIC_URL, ...(PUBLIC_URL.startsWith('https:') ? [`https://${DOMAIN}`] : [])])
  const findings: Finding[] = []
  for (const base of bases) findings.push(await directoryAt(base, DOMAIN))
  return findings
}

async function directoryAt(base: string, domain: string): Promise<Finding> {
  const answer = await get(base + DIRECTORY).catch(reasonOf)
  if (typeof answer === 'string') return warning(`The directory for other providers cannot be read at ${base} from here (${answer}).`)
  const read = MimiDirectory.safeParse(await answer.json().catch(() => undefined))
  const directory = read.data && readKeyDirectory(read.data.key_directory)
  if (answer.status !== 200 || !directory)
    return problem(`${base}${DIRECTORY} answers ${answer.status} and no directory. Other providers cannot find this server; see the proxy.`)
  if (directory.domain !== domain) return problem(`The directory at ${base} is of another domain than DOMAIN: it leads to another server.`)
  return ok(`Other providers find the directory at ${base}.`)
}

/** Names of rooms and users of other providers have slashes, which some proxies decode; and peers sign the address that they ask. */
async function examinePaths({ PUBLIC_URL, FEDERATION, FEDERATION_URL }: Config): Promise<Finding[]> {
  const settings = { PUBLIC_URL, ...(FEDERATION !== 'off' && FEDERATION_URL !== PUBLIC_URL && { FEDERATION_URL }) }
  const findings: Finding[] = []
  for (const [name, url] of Object.entries(settings)) if (url !== undefined) findings.push(await pathsThrough(name, url))
  return findings
}

async function pathsThrough(name: string, base: string): Promise<Finding> {
  const query = await arrivalOf(base + QUERY_CHECK)
  if (query.kind === 'unknown') return warning(`Whether the proxy at ${name} alters addresses cannot be seen from here (${query.reason}).`)
  if (query.kind !== 'unaltered')
    return problem(
      `The proxy at ${name} ${query.kind} the query of addresses: requests of other providers fail their signature. ` +
        'See "Proxies" in docs/operator-guide.md.',
    )
  const path = await arrivalOf(base + PATH_CHECK)
  if (path.kind === 'unaltered') return ok(`Addresses pass through ${name} as they were sent.`)
  return warning(
    `The proxy at ${name} alters or refuses escaped slashes (%2F) in paths. Until it leaves them alone, clients have to name rooms and users ` +
      'of other providers in the query. See "Proxies" in docs/operator-guide.md.',
  )
}

type Arrival = { kind: 'unaltered' | 'alters' | 'refuses' } | { kind: 'unknown'; reason: string }

async function arrivalOf(url: string): Promise<Arrival> {
  const answer = await get(url).catch(reasonOf)
  if (typeof answer === 'string') return { kind: 'unknown', reason: answer }
  const { data } = Arrived.safeParse(await answer.json().catch(() => undefined))
  return { kind: data === undefined ? 'refuses' : data.unaltered ? 'unaltered' : 'alters' }
}

function get(url: string): Promise<Response> {
  return fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT_MS) })
}
