import { AsyncLocalStorage } from 'node:async_hooks'
import { CONFIG, loadConfig, type Config } from './config.js'

/**
 * Several servers live in one test process, each with its own settings, and modules are classes, not instances.
 * So whoever starts a server says which settings are meant for everything constructed inside `work`.
 */
const starting = new AsyncLocalStorage<Config>()

export function startingWith<T>(config: Config, work: () => Promise<T>): Promise<T> {
  return starting.run(config, work)
}

export const configProvider = { provide: CONFIG, useFactory: (): Config => starting.getStore() ?? loadConfig(process.env) }
