import 'reflect-metadata'
import type { Logger } from 'pino'
import { explainFailure } from './explain-failure.js'
import { start, type RunningServer } from './start.js'
import { loadConfig, type Config } from '../platform/config/config.js'
import { misspeltSettings } from '../platform/config/misspelt-settings.js'
import { createLog, isPretty } from '../platform/observability/log.js'
import { sleep } from '../platform/timing.js'

/** One process; ROLE says whether it answers clients, runs jobs, or both. */
async function main(): Promise<void> {
  const config = loadConfig(process.env)
  const log = createLog(config)
  for (const sentence of misspeltSettings(process.env)) log.warn(sentence)
  const signals = new StopSignals()
  const ended = new AbortController()
  const starting = start(config, log, ended.signal)
  const server = await Promise.race([starting, signals.first])
  if (!server) {
    log.info('asked to stop before the start was done')
    ended.abort()
    await Promise.race([starting.then((started) => started.stop()).catch(() => undefined), signals.second, sleep(START_END_MS)])
    process.exit(0)
  }
  announce(server, config, log)
  await signals.first
  // A second one, from someone who does not want to wait.
  void signals.second.then(() => server.abandon()).finally(() => process.exit(1))
  await server.stop()
  process.exit(0)
}

/** What has begun, such as making a data folder or a migration, may end by itself; what hangs does not. */
const START_END_MS = 5_000

/** A terminal's Ctrl-C can arrive twice, from the terminal and from npm. Only a later one is from someone who insists. */
const ECHO_MS = 500

/** SIGINT and SIGTERM, remembered if they come while the server is still starting. */
class StopSignals {
  private readonly asked = Promise.withResolvers<void>()
  private readonly insisted = Promise.withResolvers<void>()
  readonly first = this.asked.promise
  readonly second = this.insisted.promise

  constructor() {
    let first: number | undefined
    const receive = () => {
      first ??= performance.now()
      this.asked.resolve()
      if (performance.now() - first > ECHO_MS) this.insisted.resolve()
    }
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, receive)
  }
}

/** Always said, whatever LOG_LEVEL is: scripts wait for it. */
function announce({ url, operationsUrl }: RunningServer, config: Config, log: Logger): void {
  const http = config.PUBLIC_URL ?? url
  const places = [
    `MicroChat is up. HTTP ${http}`,
    `WebSocket ${http.replace(/^http/, 'ws')}/v1/stream`,
    `API documentation ${http}/docs`,
    ...(operationsUrl ? [`Health and metrics ${operationsUrl}`] : []),
  ]
  const sentence = places.join('  ')
  if (isPretty(config)) process.stdout.write(`${sentence}\n`)
  else log.child({}, { level: 'info' }).info(sentence)
}

function fail(error: unknown): never {
  process.stderr.write(`${explainFailure(error)}\n`)
  process.exit(1)
}

await main().catch(fail)
