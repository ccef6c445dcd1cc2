/** `node tools/manifests.mjs`: renders everything under k8s/ and says what is wrong with it. Reads the server's settings from dist/. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { check } from './manifests/check.mjs'
import { renderAll } from './manifests/render.mjs'
import { DEPLOYMENTS, FOLDERS } from './manifests/targets.mjs'
import { nameOf, typeErrors } from './manifests/types.mjs'
import { ConfigSchema } from '../dist/platform/config/config-schema.js'
import { loadConfig } from '../dist/platform/config/config.js'
import { deploymentBudget } from '../dist/platform/postgres/connections/budget.js'

const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8'))
const settings = { ConfigSchema, loadConfig, deploymentBudget }

const rendered = await renderAll(FOLDERS).catch((error) => {
  console.error(error.message)
  process.exit(1)
})
const faults = [
  ...typeErrors([...rendered.values()].flat()).map(({ object, error }) => `${placeOf(object)} [types] ${error}`),
  ...Object.entries(DEPLOYMENTS).flatMap(([name, folders]) =>
    check(
      folders.flatMap((folder) => rendered.get(folder)),
      settings,
      version,
    ).map(({ rule, fault }) => `${name} [${rule}] ${fault}`),
  ),
]
for (const fault of faults) console.error(fault)
if (faults.length === 0) console.log(`${[...rendered.values()].flat().length} objects of ${FOLDERS.length} folders are as they should be`)
process.exitCode = faults.length === 0 ? 0 : 1

function placeOf(object) {
  const folder = FOLDERS.find((candidate) => rendered.get(candidate).includes(object))
  return object ? `k8s/${folder}: ${nameOf(object)}` : 'k8s'
}
