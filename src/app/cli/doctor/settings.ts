import type { Config } from '../../../platform/config/config.js'
import { misspeltSettings } from '../../../platform/config/misspelt-settings.js'
import { ok, warning, type Finding } from './finding.js'

/** What the settings alone reveal; that they can be read at all was found out before. */
export function examineSettings(config: Config): Finding[] {
  const findings = [
    ok('The settings can be read.'),
    ...misspeltSettings(process.env).map((sentence) => warning(sentence)),
    ...examineSecret(config.SERVER_SECRET),
  ]
  if (!config.DATABASE_URL)
    findings.push(warning('DATABASE_URL is unset: the embedded PostgreSQL serves one node and is backed up by nobody.'))
  if (config.DATABASE_URL && config.DOMAIN === 'localhost')
    findings.push(warning('DOMAIN is localhost. It is part of every user and device address and cannot be changed later.'))
  if (config.PUBLIC_URL?.startsWith('http:') && config.DOMAIN !== 'localhost')
    findings.push(warning('PUBLIC_URL is not https: access tokens would travel in the clear.'))
  if (config.ACCESS_TOKENS === 'bearer-allowed')
    findings.push(warning('ACCESS_TOKENS is bearer-allowed: a copied token of a client without a key can be used.'))
  if (config.ACCESS_TOKENS === 'legacy')
    findings.push(warning('ACCESS_TOKENS is legacy: no new session is bound to a key. Unset it when all nodes run this release.'))
  if (config.ROLE !== 'both' && !config.REDIS_URL)
    findings.push(warning('ROLE splits the work over processes, but REDIS_URL is unset: news reaches other nodes only by the sweep.'))
  if (config.REGISTRATION === 'open' && config.DOMAIN !== 'localhost')
    findings.push(warning('REGISTRATION is open: anyone may make an account.'))
  if (config.REGISTRATION === 'open' && config.CONSENT === 'implicit' && config.DOMAIN !== 'localhost')
    findings.push(
      warning('CONSENT is implicit and REGISTRATION open: any new account may add any user to its groups. Set CONSENT=explicit.'),
    )
  return [...findings, ...examineProcesses(config)]
}

function examineProcesses({ ROLE, WORKER_NODES, PUBLIC_URL, TRUST_PROXY, PG_POOL_WORKER, JOB_CONCURRENCY }: Config): Finding[] {
  const findings: Finding[] = []
  if (ROLE !== 'both' && WORKER_NODES === 0)
    findings.push(warning('WORKER_NODES is 0, but ROLE splits the work: say how many workers run at most, and see that one does.'))
  if (ROLE === 'worker' && JOB_CONCURRENCY > PG_POOL_WORKER)
    findings.push(
      warning(`JOB_CONCURRENCY (${JOB_CONCURRENCY}) jobs share PG_POOL_WORKER (${PG_POOL_WORKER}) connections and wait for each other.`),
    )
  if (PUBLIC_URL && TRUST_PROXY === 'off')
    findings.push(
      warning('PUBLIC_URL names a proxy, but TRUST_PROXY is off: all clients share its address, and with it one rate limit. Set it to on.'),
    )
  return findings
}

/** 32 equal or counting bytes decode well and protect nothing. */
function examineSecret(secret: string | undefined): Finding[] {
  if (!secret) return []
  const distinct = new Set(Buffer.from(secret, 'base64')).size
  return distinct < 16
    ? [warning('SERVER_SECRET does not look random. Make one: openssl rand -base64 32.')]
    : [ok('SERVER_SECRET looks random.')]
}
