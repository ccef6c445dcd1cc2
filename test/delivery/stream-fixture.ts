import { afterEach } from '@jest/globals'
import type { Pool } from 'pg'
import { eventually } from '../support/eventually.js'
import { startNode, type TestNode } from './delivery-node-fixture.js'
import { StreamClient } from './stream-client.js'

type StartOptions = Parameters<typeof startNode> extends [Pool, ...infer Rest] ? Rest : never

/** Nodes and clients of a test file; after each test the clients leave and the nodes drain. */
export function useStreamNodes(database: { pool: Pool }) {
  const nodes: TestNode[] = []
  const clients: StreamClient[] = []
  afterEach(async () => {
    for (const client of clients) client.socket.resume()
    await Promise.all(clients.splice(0).map((client) => client.leave()))
    await Promise.all(nodes.splice(0).map((node) => node.close()))
  })
  const start = async (...options: StartOptions): Promise<TestNode> => {
    const node = await startNode(database.pool, ...options)
    nodes.push(node)
    return node
  }
  const connect = async (node: TestNode, deviceId: bigint, options?: Parameters<typeof StreamClient.connect>[2]): Promise<StreamClient> => {
    const client = await StreamClient.connect(node.wsUrl, deviceId, options)
    clients.push(client)
    return client
  }
  return { start, connect }
}

/** The numbers from `first` to `last`. */
export const upTo = (last: number, first = 1) => Array.from({ length: last - first + 1 }, (_, index) => first + index)

/** Waits for what no frame reports. */
export async function waitFor(holds: () => boolean | Promise<boolean>): Promise<void> {
  await eventually(holds, Boolean)
}
