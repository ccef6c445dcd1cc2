import { createServer, type AddressInfo } from 'node:net'
import type { Client } from 'pg'
import { failureOf } from '../../platform/postgres/failures.js'
import { prepareBinaries, type Binaries } from './binaries.js'
import { findCluster, locateCluster, type ClusterFolder } from './cluster-folder.js'
import { connectionUrl, readSecrets, writeSecrets } from './cluster-secrets.js'
import { initialise } from './initialise.js'
import { claim, ORPHAN_GRACE_SECONDS, watchForOrphan, withdrawClaim, type OrphanWatch } from './orphan-watch.js'
import { takeOwnership } from './ownership.js'
import { findPostmaster, sendSignal, startPostmaster, stopPostmaster, type Postmaster } from './postmaster.js'
import { sleep } from '../../platform/timing.js'

const START_ATTEMPTS = 5
const RETRY_MS = 500
const SHARED_FOLDER = '/var/lib/microchat-server'

/**
 * Loopback only, no socket file (its path may be at most 107 bytes long, a data folder's is longer). fsync and synchronous_commit
 * stay on, as everywhere. Errors are logged without their statement and details, which can hold what users sent.
 */
const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '100',
  shared_buffers: '128MB',
  fsync: 'on',
  synchronous_commit: 'on',
  log_min_messages: 'warning',
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
  log_parameter_max_length_on_error: '0',
}

export interface EmbeddedOptions {
  /** Overrides of postgresql.conf, for tests. */
  settings?: Record<string, string>
  /** Where root keeps what an unprivileged user must be able to reach, if DATA_DIR or the checkout is out of that user's reach. */
  sharedFolder?: string
  /** How long a PostgreSQL whose server died waits for another to take it over, before it is ended. */
  orphanGraceSeconds?: number
}

/** A real PostgreSQL in DATA_DIR that lives as long as this server does. */
export interface EmbeddedPostgres {
  /** URL with the password of a role that owns its database and may create others. */
  url: string
  /** True if an earlier server had been killed and its PostgreSQL was still there. */
  adopted: boolean
  stop(): Promise<void>
}

/**
 * Starts PostgreSQL in `DATA_DIR/postgres`, making the folder if need be; or adopts the one that a killed server left running.
 * Refuses while another server uses the folder. Should PostgreSQL die, it is started again on the same port.
 */
export async function startEmbeddedPostgres({ DATA_DIR }: { DATA_DIR: string }, options: EmbeddedOptions = {}): Promise<EmbeddedPostgres> {
  const { sharedFolder = SHARED_FOLDER, settings = {}, orphanGraceSeconds = ORPHAN_GRACE_SECONDS } = options
  const cluster = await locateCluster(DATA_DIR, sharedFolder)
  const binaries = await prepareBinaries(cluster.user, sharedFolder)
  await initialise(cluster, binaries, settings['fsync'] === 'off' ? ['--no-sync'] : [])
  const keeper = new Keeper(cluster, binaries, { ...SETTINGS, ...settings }, DATA_DIR, orphanGraceSeconds)
  try {
    const { url, adopted } = await keeper.open()
    return { url, adopted, stop: () => keeper.stop() }
  } catch (error) {
    await withdrawClaim(cluster.path)
    throw error
  }
}

/** The URL of the PostgreSQL that a running server keeps in `DATA_DIR`, for the command line; undefined if none runs. */
export async function findEmbeddedPostgres({ DATA_DIR }: { DATA_DIR: string }): Promise<string | undefined> {
  const path = await findCluster(DATA_DIR)
  const running = await findPostmaster(path)
  return running && connectionUrl({ ...(await readSecrets(path)), port: running.port })
}

/** Keeps one cluster running and owned. */
class Keeper {
  private owner: Client | undefined
  private postmaster: Postmaster | undefined
  private watch: OrphanWatch | undefined
  private stopping = false
  /** PostgreSQL is being started again. */
  private reopening: Promise<void> | undefined
  private readonly atExit = () => this.postmaster && sendSignal(this.postmaster.pid, 'SIGINT')

  constructor(
    private readonly cluster: ClusterFolder,
    private readonly binaries: Binaries,
    private readonly settings: Record<string, string>,
    private readonly dataDir: string,
    private readonly orphanGraceSeconds: number,
  ) {}

  async open(): Promise<{ url: string; adopted: boolean }> {
    await claim(this.cluster.path)
    const { postmaster, owner, url, adopted } = await this.ensureOwned()
    this.owner = owner.once('end', () => {
      this.reopening = this.reopen()
    })
    this.postmaster = postmaster
    // Should the process end without `stop`, PostgreSQL is not left behind: by ourselves if we can, else by the watch.
    process.removeListener('exit', this.atExit).once('exit', this.atExit)
    this.watch?.end()
    this.watch = watchForOrphan(this.cluster.path, postmaster, this.orphanGraceSeconds)
    return { url, adopted }
  }

  async stop(): Promise<void> {
    this.stopping = true
    // One that is just coming back would be owned, and watched, after this has ended.
    await this.reopening
    process.removeListener('exit', this.atExit)
    await this.owner?.end()
    const running = await findPostmaster(this.cluster.path)
    if (running) await stopPostmaster(this.cluster.path, running)
    this.watch?.end()
    await withdrawClaim(this.cluster.path)
  }

  /** The owner's connection broke: PostgreSQL crashed or was killed. Its recovery needs no help but a start. */
  private async reopen(): Promise<void> {
    this.postmaster = undefined
    while (!this.stopping) {
      const opened = await this.open().catch(() => undefined)
      if (opened) return
      await sleep(RETRY_MS)
    }
  }

  /** The watch of a server that has just died may be ending the one that we found: then it is gone in a moment, and started again. */
  private async ensureOwned() {
    for (let attempt = 1; ; attempt++) {
      const { postmaster, adopted } = await this.ensurePostmaster()
      const url = connectionUrl({ ...(await readSecrets(this.cluster.path)), port: postmaster.port })
      try {
        return { postmaster, adopted, url, owner: await takeOwnership(url, this.dataDir) }
      } catch (error) {
        if (attempt === START_ATTEMPTS || failureOf(error) !== 'temporary') throw error
        await sleep(RETRY_MS)
      }
    }
  }

  /** A killed postmaster's children may hold its memory for a moment, and a free port may be taken before we are: so several attempts. */
  private async ensurePostmaster(): Promise<{ postmaster: Postmaster; adopted: boolean }> {
    for (let attempt = 1; ; attempt++) {
      const running = await findPostmaster(this.cluster.path)
      if (running) return { postmaster: running, adopted: true }
      try {
        return { postmaster: await this.start(), adopted: false }
      } catch (error) {
        if (attempt === START_ATTEMPTS) throw error
        await sleep(RETRY_MS)
      }
    }
  }

  private async start(): Promise<Postmaster> {
    const { path, user } = this.cluster
    const secrets = await readSecrets(path)
    const port = await findFreePort(secrets.port)
    if (port !== secrets.port) await writeSecrets(path, { ...secrets, port }, user)
    return startPostmaster(this.cluster, this.binaries, { ...this.settings, port: String(port) })
  }
}

/**
 * `preferred` if nobody listens on it, else any free port of the loopback interface. Another process may take it first: the
 * caller must be ready to ask again.
 */
export async function findFreePort(preferred: number): Promise<number> {
  return (await probe(preferred)) ?? (await probe(0)) ?? preferred
}

async function probe(port: number): Promise<number | undefined> {
  const server = createServer()
  try {
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve))
    return (server.address() as AddressInfo).port
  } catch {
    return undefined
  } finally {
    server.close()
  }
}
