import type { Logger } from 'pino'
import type { Config } from '../platform/config/config.js'
import { Readiness } from '../platform/observability/readiness.js'
import type { AssembledServer } from './server.js'

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
    await withinGrace(app.close(), config.SHUTDOWN_GRACE + 1_000)
  } catch (error) {
    log.error({ err: error }, 'not everything could be ended in order')
  } finally {
    clearInterval(idle)
    clearTimeout(cut)
  }
  log.info('stopped')
}

async function withinGrace(work: Promise<void>, ms: number): Promise<void> {
  const timer = new AbortController()
  const late = sleep(ms, timer.signal).then(() => Promise.reject(new Error(`Still not ended after ${ms} ms`)))
  late.catch(() => undefined)
  try {
    await Promise.race([work, late])
  } finally {
    timer.abort()
  }
}

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal?.addEventListener('abort', () => clearTimeout(timer))
  })
}
