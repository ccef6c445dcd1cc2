/**
 * `node tools/campaign.mjs [--seeds N] [--seed N] [--steps N]`: test/authority/campaign/ for longer than `npm test` runs it, with one seed after
 * the other, up to the first that fails. What it prints then is enough to run that seed again.
 */
import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { endWithParents } from './end-with-parents.mjs'

/** For one seed, in both modes. */
const MOST_MS = 60 * 60_000

endWithParents()
const { values } = parseArgs({
  options: { seeds: { type: 'string', default: '4' }, seed: { type: 'string' }, steps: { type: 'string', default: '2000' } },
})
const seeds = values.seed === undefined ? Array.from({ length: Number(values.seeds) }, () => String(randomInt(2 ** 31))) : [values.seed]
for (const seed of seeds) {
  console.log(`CAMPAIGN_SEED=${seed} CAMPAIGN_STEPS=${values.steps}`)
  process.exitCode = await run(seed)
  if (process.exitCode !== 0) break
}

/** @returns the exit code of `npm test`; 1 if a signal ended it, as after an hour */
function run(seed) {
  const test = [join(import.meta.dirname, 'test.mjs'), 'test/authority/campaign/campaign.test.ts']
  const env = { ...process.env, CAMPAIGN_SEED: seed, CAMPAIGN_STEPS: values.steps }
  const child = spawn(process.execPath, test, { env, stdio: 'inherit', timeout: MOST_MS })
  return new Promise((resolve, reject) => child.once('error', reject).once('close', (code) => resolve(code ?? 1)))
}
