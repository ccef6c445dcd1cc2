import type { Logger } from 'pino'
import { directDatabaseUrl, type Config } from '../platform/config/config.js'
import { startTracing } from '../platform/observability/tracing.js'
import { checkConnectionBudget, withStartConnection } from '../platform/postgres/connections/check.js'
import { checkPooler } from '../platform/postgres/connections/pooler.js'
import type { Sql } from '../platform/postgres/sql.js'
import { migrate } from '../platform/postgres/migrate.js'
import { embeddedSettings } from './embedded-settings.js'
import { Operations } from './operations/operations.js'
import { OperationsListener } from './operations/operations-listener.js'
import { refuseOtherDomain } from './operations/stored-domain.repository.js'
import { drain } from './shutdown.js'

/** Connecting, and the wait for another node that migrates, usually take less. */
const WAITING_MS = 2_000

export interface RunningServer {
  url: string
  /** Where health and metrics are, if OPERATIONS_PORT is set. */
  operationsUrl: string | undefined
  /** In order: requests, streams, jobs, connections, the embedded PostgreSQL; the port for health and metrics last. */
  stop(): Promise<void>
  /** Ends at once, but does not leave the embedded PostgreSQL behind. */
  abandon(): Promise<void>
}

/**
 * Everything from settings to an open port. What was started is stopped again, in reverse, by `stop` or a failure.
 * @param ended whether a signal has arrived: then the next step is not begun
 */
export async function start(given: Config, log: Logger, ended?: AbortSignal): Promise<RunningServer> {
  const undo: (() => Promise<void>)[] = []
  const stop = async () => {
    for (const step of undo.splice(0).reverse()) await step()
  }
  try {
    const operations = await OperationsListener.open(given, log)
    if (operations) undo.push(() => operations.close())
    const tracing = await startTracing(given)
    if (tracing) undo.push(() => tracing.stop())
    // Loaded only now, so that tracing sees the modules it instruments; it takes a second, as PostgreSQL does, so both at once.
    const loading = import('./server.js')
    loading.catch(() => undefined) // awaited below, unless PostgreSQL fails first
    const { config, stopDatabase } = await embeddedSettings(given, log)
    if (stopDatabase) undo.push(stopDatabase)
    ended?.throwIfAborted()
    const applied = await sayingThatItWaits(log, migrate(directDatabaseUrl(config)))
    if (applied.length > 0) log.info({ applied: applied.length }, 'migrations applied')
    await withStartConnection(config, (sql) => checkDatabase(sql, { ...config, embedded: stopDatabase !== undefined }, log))
    await checkPooler(config, log)
    ended?.throwIfAborted()
    const { createServer, listen } = await loading
    const server = await createServer(config, log)
    undo.push(() => drain(server, config, log))
    // Whatever is wrong is in the log from the start, the clock above all, though nobody may have asked yet.
    const { Readiness } = await import('../platform/observability/readiness.js')
    await server.app.get(Readiness).report()
    const url = await listen(server, config)
    operations?.serve(server.app.get(Operations))
    return { url, operationsUrl: operations?.url, stop, abandon: async () => stopDatabase?.() }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Whether the settings and this database go together, before anything relies on it. */
async function checkDatabase(sql: Sql, config: Config & { embedded: boolean }, log: Logger): Promise<void> {
  await checkConnectionBudget(sql, config, log)
  await refuseOtherDomain(sql, config)
  const { refuseWrongSecret } = await import('./operations/sealed-keys-check.js')
  await refuseWrongSecret(sql, config)
}

/** A start that stands still says what it waits for. */
async function sayingThatItWaits<T>(log: Logger, work: Promise<T>): Promise<T> {
  const timer = setTimeout(() => log.warn('waiting for PostgreSQL'), WAITING_MS)
  try {
    return await work
  } finally {
    clearTimeout(timer)
  }
}
