import { embeddedServer } from '../../examples/demo-server.js'
import type { Mode } from '../../examples/client/store.js'
import { runCampaign, type Campaign } from './campaign.js'
import { LINEUPS, rotations, runOperations, type Lineup, type Result } from './lineups.js'
import { Matrix } from './matrix.js'
import { STACKS } from './participant.js'

/**
 * `npm run interop [-- --short] [--only TEXT] [--operation TEXT]`: OpenMLS, mls-rs and the example client over the API of a server that this starts. Without
 * these the results are written into docs/interop.md.
 */
const MODES: readonly Mode[] = ['public', 'private']
const short = process.argv.includes('--short')
const only = option('--only')
const operation = option('--operation')

/** More than one address of real clients has, and nothing waits for a limit. */
const GENEROUS = {
  DOMAIN: 'localhost',
  PORT: '0',
  LOGINS_PER_MINUTE: '100000',
  CLAIMS_PER_MINUTE: '100000',
  CLAIMS_PER_PAIR_PER_MINUTE: '100000',
  CLAIMS_PER_TARGET_PER_MINUTE: '100000',
  MESSAGES_PER_MINUTE: '1000000',
  ANONYMOUS_PER_MINUTE: '1000000',
  REQUESTS_PER_DEVICE_PER_MINUTE: '1000000',
}

const matrix = new Matrix()
let passed = 0
let failed = 0

const server = await embeddedServer(GENEROUS)
try {
  for (const lineup of LINEUPS) for (const mode of MODES) for (const suite of lineup.suites) await operations(lineup, mode, suite)
  for (const campaign of operation === undefined ? campaigns() : []) await campaigning(campaign)
} finally {
  await server.stop()
}
if (!short && only === undefined && operation === undefined) await matrix.write()
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1

async function operations(lineup: Lineup, mode: Mode, suite: number): Promise<void> {
  const name = `${lineup.name}, ${mode}, suite ${suite}`
  if ((short && suite !== lineup.suites[0]) || (only !== undefined && !name.includes(only))) return
  const began = performance.now()
  const orders = rotations(lineup.stacks)
  const failures: string[] = []
  for (const stacks of short ? orders.slice(0, 1) : orders) {
    for (const [tried, result] of await runOperations(server.url, mode, suite, { ...lineup, stacks }, operation)) {
      matrix.add(lineup.name, mode, suite, tried, result)
      count(result)
      if (result.kind === 'failed') failures.push(`  ✗ ${tried} (${stacks.join(', ')})\n    ${result.reason}`)
    }
  }
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  console.log([`${failures.length === 0 ? '✓' : '✗'} ${name} (${seconds} s)`, ...failures].join('\n'))
}

function count(result: Result): void {
  if (result.kind === 'passed') passed++
  if (result.kind === 'failed') failed++
}

function campaigns(): Campaign[] {
  const seeds = short ? [1] : [1, 2, 3, 4]
  const epochs = short ? 60 : 200
  return MODES.flatMap((mode) => seeds.map((seed) => ({ mode, suite: 1, stacks: STACKS, seed, epochs })))
}

async function campaigning(campaign: Campaign): Promise<void> {
  const name = `campaign of all three, ${campaign.mode}, seed ${campaign.seed}`
  if (only !== undefined && !name.includes(only)) return
  const began = performance.now()
  try {
    const { epochs, steps } = await runCampaign(server.url, campaign)
    passed++
    matrix.addCampaign(campaign, epochs)
    const taken = [...steps].map(([step, times]) => `${times} ${step}`).join(', ')
    console.log(`✓ ${name}: ${epochs} epochs (${((performance.now() - began) / 1000).toFixed(1)} s; ${taken})`)
  } catch (error) {
    failed++
    matrix.addCampaign(campaign, undefined)
    console.log(`✗ ${name}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function option(name: string): string | undefined {
  const at = process.argv.indexOf(name)
  return at < 0 ? undefined : process.argv[at + 1]
}
