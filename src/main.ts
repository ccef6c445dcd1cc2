import 'reflect-metadata'
import { start, type RunningServer } from './app/start.js'
import { ConfigError, loadConfig, type Config } from './platform/config/config.js'
import { createLog } from './platform/observability/log.js'

/** One process; ROLE says whether it answers clients, runs jobs, or both. */
async function main(): Promise<void> {
  const config = loadConfig(process.env)
  const log = createLog(config)
  const stopping = onStopSignal()
  const server = await start(config, log)
  announce(server, config)
  stopping.then(async (signal) => {
    log.info({ signal }, 'stopping')
    await server.stop()
    process.exit(0)
  }).catch(fail)
}

/** The first SIGINT or SIGTERM asks; a second one while it stops does not wait for requests any longer. */
function onStopSignal(): Promise<NodeJS.Signals> {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => resolve(signal))
  return promise
}

function announce({ url }: RunningServer, config: Config): void {
  const http = config.PUBLIC_URL ?? url
  process.stdout.write(`MicroChat is up. HTTP ${http}  WebSocket ${http.replace(/^http/, 'ws')}/v1/stream  API documentation ${http}/docs\n`)
}

function fail(error: unknown): never {
  const text = error instanceof ConfigError ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)
  process.stderr.write(`${text}\n`)
  process.exit(1)
}

await main().catch(fail)
