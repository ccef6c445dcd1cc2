/** `npm run demo:compose`: the demo against the deployment that `docker compose up -d` has started. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Deployment, root, run } from './compose.mjs'

const envFile = process.env.ENV_FILE ?? join(root, '.env')
if (!existsSync(envFile)) {
  console.error('There is no .env. Make one with "sh docker/make-env.sh", then start the deployment with "docker compose up -d".')
  process.exit(1)
}
const folder = mkdtempSync(join(tmpdir(), 'microchat-compose-'))
try {
  const deployment = new Deployment(envFile)
  const trust = await deployment.up(join(folder, 'root.crt'))
  console.log(`Through the proxy at ${deployment.url}`)
  // Node reads NODE_EXTRA_CA_CERTS once, at its start: hence a process of its own.
  const target = { MICROCHAT_URL: deployment.url, MICROCHAT_DOMAIN: deployment.settings.DOMAIN }
  process.exitCode = await run([process.execPath, 'tools/start.mjs', 'examples/demo.js'], { ...process.env, ...trust, ...target })
} finally {
  rmSync(folder, { recursive: true, force: true })
}
