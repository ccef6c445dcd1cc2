import { parseArgs } from 'node:util'
import { OUTBOUND_LIMITS, PeerHttp } from '../../../federation/outbound/peer-http.js'
import { parseRanges } from '../../../federation/outbound/address-policy.js'
import { sleep } from '../../../platform/timing.js'
import { isProviderDomain } from '../../../protocol/identifiers.js'
import { failures, reportOf, skip, type Check } from '../check.js'
import { examineDirectory } from '../directory-checks.js'
import { examineExchange, type Exchange } from '../exchange.js'
import { examineTransport } from '../transport-checks.js'
import { examineRefusal, examineReplay, REFUSALS } from './refusals.js'
import { examineRotations, ROTATION_CHECKS } from './rotations.js'
import { testerKey, TesterProvider } from './tester-provider.js'

export const USAGE = `Usage: npm run federation-tester -- DOMAIN --as TESTER_DOMAIN [options]

Asks the provider DOMAIN as another provider would, and says by name which checks of docs/federation-profile.md it passes. It needs no database.
The provider has to find the tester's directory at https://TESTER_DOMAIN: lead that to --listen, by a proxy with a certificate.

  --as TESTER_DOMAIN   The domain of the tester. Use one of its own: after --rotations providers remember its keys.
  --listen HOST:PORT   Where the tester shows its directory, without TLS. 127.0.0.1:8765
  --url URL            Where DOMAIN is found if not at https://DOMAIN; for tests, http:// and private addresses too.
  --allow RANGE        Addresses that may be asked though they are not public, such as 10.0.0.0/8.
  --rotations          Also whether it follows the tester's directory when that changes: takes minutes, and leaves an alarm there.
  --wait SECONDS       For --rotations: until the provider looks at a directory again. 11
  --json               For machines.

The exit code is 0 if no check failed.
`

interface Settings {
  readonly domain: string
  readonly as: string
  readonly listen: { readonly host: string; readonly port: number }
  readonly base: string
  readonly allow: readonly string[]
  readonly rotations: boolean
  readonly waitMs: number
  readonly json: boolean
}

/** Thrown for arguments that do not do. */
export class UsageError extends Error {}

export function settingsOf(args: readonly string[]): Settings {
  const text = { type: 'string' } as const
  const options = {
    as: text,
    listen: text,
    url: text,
    allow: { ...text, multiple: true },
    rotations: { type: 'boolean' },
    wait: text,
    json: { type: 'boolean' },
  } as const
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true })
  const [domain = '', ...more] = positionals
  const { as = '', listen = '127.0.0.1:8765', url, allow = [], rotations = false, wait = '11', json = false } = values
  if (!isProviderDomain(domain) || more.length > 0) throw new UsageError('Which provider? Give its domain, such as b.example.')
  if (!isProviderDomain(as) || as === domain) throw new UsageError('As whom? Give a domain of the tester by --as.')
  const [, host = '', port = ''] = /^(.+):(\d{1,5})$/.exec(listen) ?? []
  if (host === '') throw new UsageError('--listen is HOST:PORT.')
  const base = (url ?? `https://${domain}`).replace(/\/$/, '')
  if (!URL.canParse(base)) throw new UsageError('--url is an address such as https://chat.b.example.')
  return { domain, as, listen: { host, port: Number(port) }, base, allow, rotations, waitMs: Number(wait) * 1_000, json }
}

/** All checks of a provider. */
export async function testProvider(settings: Settings): Promise<Check[]> {
  const { domain, as, base, listen, allow } = settings
  const ranges = parseRanges(allow)
  const plainHosts = new Set(base.startsWith('http:') ? [new URL(base).host] : [])
  const http = new PeerHttp({ ...OUTBOUND_LIMITS, plainHosts, allowedRanges: ranges, tls: {} })
  const provider = new TesterProvider(as, `https://${as}`)
  const key = testerKey('k1')
  try {
    await provider.listen(listen.host, listen.port)
    provider.show([key])
    const transport = await examineTransport(base, ranges)
    const { checks, read } = await examineDirectory(domain, base, http)
    if (!read) return [...transport, ...checks, ...laterNames().map((name) => skip(name, 'There is no directory to go by.'))]
    const exchange = { domain: as, keyId: key.keyId, privateKey: key.privateKey, target: domain, directory: read.directory, http }
    return [
      ...transport,
      ...checks,
      ...(await examineRequests(exchange, settings, () => examineRotations(exchange, provider, key, () => sleep(settings.waitMs)))),
    ]
  } finally {
    await Promise.all([provider.close(), http.close()])
  }
}

async function examineRequests(exchange: Exchange, { rotations }: Settings, rotate: () => Promise<Check[]>): Promise<Check[]> {
  const answers = await examineExchange(exchange)
  const isTaken = answers.some(({ name, verdict }) => name === 'request-accepted' && verdict === 'pass')
  if (!isTaken)
    return [
      ...answers,
      ...laterNames().map((name) => skip(name, 'A request with nothing wrong is not taken: what is refused says nothing.')),
    ]
  const refusals: Check[] = []
  for (const refusal of REFUSALS) refusals.push(await examineRefusal(exchange, refusal))
  refusals.push(await examineReplay(exchange))
  return [
    ...answers,
    ...refusals,
    ...(rotations ? await rotate() : ROTATION_CHECKS.map((name) => skip(name, 'Ask for it by --rotations.'))),
  ]
}

function laterNames(): string[] {
  return [...REFUSALS.map(({ name }) => name), 'refuses-replay', ...ROTATION_CHECKS]
}

/** @returns the exit code */
export async function runTester(args: readonly string[]): Promise<number> {
  try {
    const settings = settingsOf(args)
    const checks = await testProvider(settings)
    process.stdout.write(`${reportOf(checks, settings.json)}\n`)
    return failures(checks) === 0 ? 0 : 1
  } catch (error) {
    if (!(error instanceof UsageError) && !isArgumentError(error)) throw error
    process.stderr.write(`${error.message}\n\n${USAGE}`)
    return 2
  }
}

function isArgumentError(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')
}
