import type { Config } from '../../../../platform/config/config.js'
import { examine, ok, problem, reasonOf, warning, type Diagnosis, type Finding } from '../finding.js'
import { examineCertificate } from './certificate.js'
import { examineDirectory } from './directory.js'
import { examinePaths } from './paths.js'
import { examineStreams } from './streams.js'

const PATIENCE_MS = 5_000
/** Answered by every node without a session, and by nothing else. */
const KEYS = '/.well-known/jwks.json'
/** For orchestrators and Prometheus only. */
const INTERNAL = ['/metrics', '/health/live', '/health/ready']

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
  if (answer.ok && typeof body === 'object' && body !== null && 'keys' in body) return [ok('PUBLIC_URL leads to a server of ours.')]
  return [problem(`PUBLIC_URL answers ${answer.status} where this server would show its keys: it leads elsewhere, or to no live node.`)]
}

/** Metrics tell strangers how much goes on here; both are for inside only. */
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

function get(url: string): Promise<Response> {
  return fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(PATIENCE_MS) })
}
