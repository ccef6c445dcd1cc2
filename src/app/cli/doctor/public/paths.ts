import { z } from 'zod'
import type { Config } from '../../../../platform/config/config.js'
import { PATH_CHECK, QUERY_CHECK } from '../../../operations/path-check.js'
import { ok, problem, reasonOf, warning, type Finding } from '../finding.js'

const PATIENCE_MS = 5_000
const Answer = z.object({ unaltered: z.boolean() })

/** Names of rooms and users of other providers have slashes, which some proxies decode; and peers sign the address that they ask. */
export async function examinePaths({ PUBLIC_URL, FEDERATION, FEDERATION_URL }: Config): Promise<Finding[]> {
  const settings = { PUBLIC_URL, ...(FEDERATION !== 'off' && FEDERATION_URL !== PUBLIC_URL && { FEDERATION_URL }) }
  const findings: Finding[] = []
  for (const [name, url] of Object.entries(settings)) if (url !== undefined) findings.push(await examineAt(name, url))
  return findings
}

async function examineAt(name: string, base: string): Promise<Finding> {
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
  const answer = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(PATIENCE_MS) }).catch(reasonOf)
  if (typeof answer === 'string') return { kind: 'unknown', reason: answer }
  const { data } = Answer.safeParse(await answer.json().catch(() => undefined))
  return { kind: data === undefined ? 'refuses' : data.unaltered ? 'unaltered' : 'alters' }
}
