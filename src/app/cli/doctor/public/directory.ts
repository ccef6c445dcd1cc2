import type { Config } from '../../../../platform/config/config.js'
import { MimiDirectory, readKeyDirectory } from '../../../../federation/identity/directory-document.js'
import { ok, problem, reasonOf, warning, type Finding } from '../finding.js'

const PATIENCE_MS = 5_000
const PATH = '/.well-known/mimi-protocol-directory'

/** Other providers look at the domain, whatever PUBLIC_URL is: the directory is what leads them there. */
export async function examineDirectory({ DOMAIN, FEDERATION, PUBLIC_URL }: Config): Promise<Finding[]> {
  if (FEDERATION === 'off' || !PUBLIC_URL) return []
  const bases = new Set([PUBLIC_URL, ...(PUBLIC_URL.startsWith('https:') ? [`https://${DOMAIN}`] : [])])
  const findings: Finding[] = []
  for (const base of bases) findings.push(await examineAt(base, DOMAIN))
  return findings
}

async function examineAt(base: string, domain: string): Promise<Finding> {
  const answer = await fetch(base + PATH, { redirect: 'manual', signal: AbortSignal.timeout(PATIENCE_MS) }).catch(reasonOf)
  if (typeof answer === 'string') return warning(`The directory for other providers cannot be read at ${base} from here (${answer}).`)
  const read = MimiDirectory.safeParse(await answer.json().catch(() => undefined))
  const directory = read.data && readKeyDirectory(read.data.key_directory)
  if (answer.status !== 200 || !directory)
    return problem(`${base}${PATH} answers ${answer.status} and no directory. Other providers cannot find this server; see the proxy.`)
  if (directory.domain !== domain) return problem(`The directory at ${base} is of another domain than DOMAIN: it leads to another server.`)
  return ok(`Other providers find the directory at ${base}.`)
}
