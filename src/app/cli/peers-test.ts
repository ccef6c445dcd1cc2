import { parseArgs } from 'node:util'
import type { Pool } from 'pg'
import { ProviderKeys } from '../../federation/identity/provider-keys.js'
import { parseRanges } from '../../federation/outbound/address-policy.js'
import { PeerConnections } from '../../federation/outbound/peer-http.js'
import { PeerPolicy } from '../../federation/peers/peer-policy.js'
import type { Config } from '../../platform/config/config.js'
import { Secrets } from '../../platform/secrets.js'
import { fail, failures, pass, reportOf, skip, warn, type Check } from '../federation-check/check.js'
import { examineDirectory } from '../federation-check/directory-checks.js'
import { examineExchange } from '../federation-check/exchange.js'
import { examineState, examineTrust } from '../federation-check/peer-state.js'
import { examineTransport } from '../federation-check/transport-checks.js'
import { CliError, print, withDatabase, type Command } from './command.js'
import { peerDomain } from './peer-domain.js'

export const peersTest: Command = {
  name: 'peers test',
  usage: '[--json] DOMAIN          What works with another provider and what does not: the way there, keys, a signed request, what waits.',
  async run(args) {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { json: { type: 'boolean', default: false } },
      allowPositionals: true,
    })
    const domain = peerDomain(positionals)
    const checks = await withDatabase((pool, config) => {
      if (domain === config.DOMAIN) throw new CliError(`${domain} is this server itself: see the doctor.`)
      return examinePeer(pool, config, domain)
    })
    print(reportOf(checks, values.json))
    const failed = failures(checks)
    if (failed > 0) throw new CliError(failed === 1 ? 'One check failed.' : `${failed} checks failed.`)
  },
}

async function examinePeer(pool: Pool, config: Config, domain: string): Promise<Check[]> {
  const connections = new PeerConnections(config)
  try {
    const admitted = await examineAdmission(pool, config, domain)
    if (config.FEDERATION === 'off') return [admitted]
    const base = config.FEDERATION_PEER_URLS?.get(domain) ?? `https://${domain}`
    const ranges = (config.FEDERATION_ALLOWED_RANGES ?? []).filter(({ peer }) => peer === undefined || peer === domain)
    const transport = await examineTransport(base, parseRanges(ranges.map(({ range }) => range)))
    const own = await examineOwnDirectory(connections, pool, config)
    const { checks, read } = await examineDirectory(domain, base, connections.of(domain))
    const trusted = await examineTrust(pool, domain, read)
    const requests = read && (await askAsOurselves(connections, pool, config, { domain, directory: read.directory }))
    return [admitted, own, ...transport, ...checks, trusted, ...(requests ?? NOT_ASKED), ...(await examineState(pool, domain))]
  } finally {
    await connections.onApplicationShutdown()
  }
}

const NOT_ASKED: readonly Check[] = [
  'request-accepted',
  'answer-signed',
  'answer-target',
  'answer-digest',
  'clock',
  'admitted-there',
  'reaches-this-server',
].map((name) => skip(name, 'There is no directory to go by.'))

async function examineAdmission(pool: Pool, config: Config, domain: string): Promise<Check> {
  const name = 'admitted-here'
  if (config.FEDERATION === 'off') return fail(name, 'This server does not federate: FEDERATION is off.')
  if (await new PeerPolicy(pool, config).admits(domain)) return pass(name, 'The settings here admit it.')
  return fail(
    name,
    config.FEDERATION === 'allow-list'
      ? `It is not on the list: \`peers allow ${domain}\`.`
      : `It is denied: \`peers reset ${domain}\` ends that.`,
  )
}

/** As peers see it; from inside a network that may not be possible. */
async function examineOwnDirectory(connections: PeerConnections, pool: Pool, config: Config): Promise<Check> {
  const name = 'own-directory'
  const base = `https://${config.DOMAIN}`
  const { checks, read } = await examineDirectory(config.DOMAIN, base, connections.of(config.DOMAIN))
  const wrong = checks.find(({ verdict }) => verdict === 'fail')
  if (wrong?.name === 'directory-fetched')
    return warn(name, `The directory of this server cannot be seen from here, at ${base}. Peers need it: look from outside.`)
  if (wrong || !read) return fail(name, `The directory of this server at ${base} fails ${wrong?.name ?? 'something'}. See the doctor.`)
  const { keyId } = await keysOf(pool, config).signer()
  if (!read.directory.keys.some(({ kid }) => kid === keyId))
    return fail(name, `At ${base} there is another directory than this server's, or an old one from a cache.`)
  return pass(name, 'Peers find the directory of this server.')
}

function keysOf(pool: Pool, config: Config): ProviderKeys {
  return new ProviderKeys(pool, config, new Secrets(config))
}

interface Asked {
  readonly domain: string
  readonly directory: Parameters<typeof examineExchange>[0]['directory']
}

async function askAsOurselves(connections: PeerConnections, pool: Pool, config: Config, { domain, directory }: Asked): Promise<Check[]> {
  const { keyId, privateKey } = await keysOf(pool, config).signer()
  const exchange = { domain: config.DOMAIN, keyId, privateKey, target: domain, directory, http: connections.of(domain) }
  const { checks, said } = await examineExchange(exchange)
  return [...checks, admission(said), reach(said)]
}

function admission(said: string | undefined): Check {
  const name = 'admitted-there'
  if (said === 'peer-denied') return fail(name, 'It does not admit this provider: its operator has to allow it.')
  return said === 'taken' ? pass(name, 'It admits this provider.') : skip(name, 'It has not said.')
}

/** To verify a request of this server, a peer has to have its directory. */
function reach(said: string | undefined): Check {
  const name = 'reaches-this-server'
  if (said === 'taken') return pass(name, 'It has the directory of this server, and believes it.')
  if (said === 'key-unknown')
    return fail(name, 'It does not get the directory of this server, or does not believe it: its operator sees why in `peers list`.')
  return skip(name, 'It has not said.')
}
