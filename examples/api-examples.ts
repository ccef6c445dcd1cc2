import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { startProviders } from './demo-federation-providers.js'
import { embeddedServer, type DemoServer } from './demo-server.js'
import { ageCertificatesIn } from './recorded/aged.js'
import { differences, type Example, type Exchange, type Paths } from './recorded/exchanges.js'
import { inOtherTypes } from './recorded/other-types.js'
import { recording } from './recorded/recorder.js'
import { relayed } from './recorded/relay.js'
import { walk } from './recorded/tour.js'

/**
 * `npm run api-examples`: walks through the API on two fresh servers and writes docs/api-examples.json, from which
 * `cli openapi` takes the examples. What differs between the two runs is what differs in each run.
 */
const file = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))
const { paths } = parse(await readFile(file('openapi.yaml'), 'utf8')) as { paths: Paths }
const [first, second] = [await run(), await run()]
const examples = [...first].map(([id, exchange]) => [id, exampleOf(id, exchange, second.get(id))] as const)
await writeFile(
  file('docs/api-examples.json'),
  `${JSON.stringify(Object.fromEntries(examples.sort(([a], [b]) => (a < b ? -1 : 1))), undefined, 2)}\n`,
)
process.stdout.write(`${examples.length} operations recorded in docs/api-examples.json\n`)

async function run(): Promise<Map<string, Exchange>> {
  const walked = await recorded({}, ({ url, domain, folder = '' }) => walk(url, domain, (user) => ageCertificatesIn(folder, user)))
  const federating = await recorded(
    { FEDERATION: 'open' },
    async ({ url }) => void (await fetch(`${url}/.well-known/mimi-protocol-directory`)),
  )
  const federation = await startProviders(['a.example', 'b.example'])
  try {
    const [hub, own] = federation.providers
    if (!hub || !own) throw new Error('Two providers take part')
    return new Map([...walked, ...federating, ...relayOnly(await recording(paths, () => relayed(own, hub)))])
  } finally {
    await federation.stop()
  }
}

/** What only two providers can show; of all else a provider alone has the example. */
function relayOnly(exchanges: Map<string, Exchange>): [string, Exchange][] {
  return [...exchanges].filter(([id]) => ['getRelayKeys', 'relaySealedMessage'].includes(id))
}

async function recorded(settings: Record<string, string>, work: (server: DemoServer) => Promise<void>): Promise<Map<string, Exchange>> {
  const server = await embeddedServer({ DOMAIN: 'localhost', PORT: '0', ...settings })
  try {
    return await recording(paths, () => work(server))
  } finally {
    await server.stop()
  }
}

function exampleOf(id: string, exchange: Exchange, again: Exchange | undefined): Example {
  if (!again) throw new Error('The second run took another way than the first')
  const changing = Object.keys(exchange.path).filter((name) => exchange.path[name] !== again.path[name])
  const parameters = [...changing, ...Object.keys(exchange.headers ?? {})]
  const tokens = JSON.stringify(exchange.request ?? '').includes('"refresh_token"') ? ['/refresh_token'] : []
  return {
    ...exchange,
    ...inOtherTypes(id, exchange),
    fresh: [...new Set([...parameters, ...differences(exchange.request, again.request), ...tokens])],
  }
}
