import { createTestDatabase, type TestDatabase } from './database.js'
import { federationSettings } from './federation.js'
import { PeerEchoModule } from './peer-echo.js'
import type { FaultyProxy } from './network/faulty-proxy.js'
import { startServer, type TestServer } from './server.js'

/** A provider of which more nodes can be started: each remembers nothing of what another has seen. */
export interface ProviderOfNodes {
  readonly domain: string
  readonly proxy: FaultyProxy
  readonly database: TestDatabase
  /** The environment of its nodes. */
  readonly settings: Readonly<Record<string, string>>
  /** Starts a node, to which the proxy forwards from then on. */
  node(overrides?: Record<string, string>): Promise<TestServer>
  /** Ends all nodes but one: each has connections, which are scarce. */
  keepOnly(kept?: TestServer): Promise<void>
  close(): Promise<void>
}

/** `a.example`, `b.example`, …, without a node yet. */
export async function providersOfNodes(count: number): Promise<ProviderOfNodes[]> {
  const all = await federationSettings(count)
  return Promise.all(
    all.map(async ({ domain, proxy, settings }) => {
      const database = await createTestDatabase()
      const nodes: TestServer[] = []
      const node = async (overrides: Record<string, string> = {}) => {
        const started = await startServer({ ...settings, ...overrides }, { database, root: PeerEchoModule })
        nodes.push(started)
        proxy.target = started.url
        return started
      }
      const keepOnly = async (kept?: TestServer) => {
        const others = nodes.filter((one) => one !== kept)
        nodes.splice(0, nodes.length, ...nodes.filter((one) => one === kept))
        await Promise.all(others.map((one) => one.close()))
      }
      const close = async () => {
        await keepOnly()
        await proxy.close()
        await database.drop()
      }
      return { domain, proxy, database, settings, node, keepOnly, close }
    }),
  )
}
