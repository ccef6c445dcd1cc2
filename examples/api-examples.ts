import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { embeddedServer } from './demo-server.js'
import { differences, type Example, type Exchange, type Paths } from './recorded/exchanges.js'
import { recording } from './recorded/recorder.js'
import { walk } from './recorded/tour.js'

/**
 * `npm run api-examples`: walks through the API on two fresh servers and writes docs/api-examples.json, from which
 * `cli openapi` takes the examples. What differs between the two runs is what differs in each run.
 */
const file = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))
const { paths } = parse(await readFile(file('openapi.yaml'), 'utf8')) as { paths: Paths }
const [first, second] = [await run(), await run()]
const examples = [...first].map(([id, exchange]) => [id, exampleOf(exchange, second.get(id))] as const)
await writeFile(
  file('docs/api-examples.json'),
  `${JSON.stringify(Object.fromEntries(examples.sort(([a], [b]) => (a < b ? -1 : 1))), undefined, 2)}\n`,
)
process.stdout.write(`${examples.length} operations recorded in docs/api-examples.json\n`)

async function run(): Promise<Map<string, Exchange>> {
  const server = await embeddedServer({ DOMAIN: 'localhost', PORT: '0' })
  try {
    return await recording(paths, () => walk(server.url, server.domain))
  } finally {
    await server.stop()
  }
}

function exampleOf(exchange: Exchange, again: Exchange | undefined): Example {
  if (!again) throw new Error('The second run took another way than the first')
  const parameters = Object.keys(exchange.path).filter((name) => exchange.path[name] !== again.path[name])
  const tokens = JSON.stringify(exchange.request ?? '').includes('"refresh_token"') ? ['/refresh_token'] : []
  return { ...exchange, fresh: [...new Set([...parameters, ...differences(exchange.request, again.request), ...tokens])] }
}
