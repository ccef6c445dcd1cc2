import { AsyncLocalStorage } from 'node:async_hooks'
import type { Logger } from 'pino'
import { CONFIG, loadConfig, type Config } from './config/config.js'
import { createLog, LOG } from './observability/log.js'

export interface Launch {
  config: Config
  log: Logger
}

/**
 * Several servers live in one test process, each with settings and a log of its own, while modules are classes, not
 * instances. So anyone who starts a server says what everything constructed inside `work` is meant to use.
 */
const launch = new AsyncLocalStorage<Launch>()

export function launching<T>(what: Launch, work: () => Promise<T>): Promise<T> {
  return launch.run(what, work)
}

export const launchProviders = [
  { provide: CONFIG, useFactory: (): Config => launch.getStore()?.config ?? loadConfig(process.env) },
  { provide: LOG, useFactory: (config: Config): Logger => launch.getStore()?.log ?? createLog(config), inject: [CONFIG] },
]
