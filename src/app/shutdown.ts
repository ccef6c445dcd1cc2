import type { Logger } from 'pino'
import type { Config } from '../platform/config/config.js'
import { Readiness } from '../platform/observability/readiness.js'
import type { AssembledServer } from './server.js'
import { sleep, within } from '../platform/timing.js'

const IDLE_CHECK_MS = 100

type Settings = Pick<Config, 'SHUTDOWN_GRACE' | 'DRAIN_DELAY'>

/**
 * Readiness off, no new connections, requests in flight finish, then the hooks of the modules in their order
 * (streams and cursors, jobs, pools). What has not ended by itself within SHUTDOWN_GRACE is cut off.
 */
export async function drain({ app, connections }: AssembledServer, config: Settings, log: Logger): Promise<void> {
  app.get(Readiness).drain()
  log.info('draining')
  if (config.DRAIN_DELAY > 0) await sleep(config.DRAIN_DELAY)
  const server = app.getHttpServer()
  server.close()
  // Keep-alive connections would hold the server open; those of requests in flight turn idle one by one.
  const idle = setInterval(() => connections.closeIdle(), IDLE_CHECK_MS)
  const cut = setTimeout(() => server.closeAllConnections(), config.SHUTDOWN_GRACE)
  try {
    const ms = config.SHUTDOWN_GRACE + 1_000
    await within(ms, app.close(), `Still not ended after ${ms} ms`)
  } catch (error) {
    log.error({ err: error }, 'not everything could be ended in order')
  } finally {
    clearInterval(idle)
    clearTimeout(cut)
  }
  log.info('stopped')
}
