import { Redis } from 'ioredis'
import { eventually } from '../eventually.js'
import { freePort } from '../free-port.js'
import { RedisProcess } from './redis-process.js'

const SLOTS = 16_384
const MASTERS = 3
/** The nodes talk to each other on a port so far above their own. */
const BUS_OFFSET = 10_000

/** Three masters, which share the slots, and a replica of the first. */
export class RedisCluster {
  private constructor(readonly nodes: readonly RedisProcess[]) {}

  static async start(): Promise<RedisCluster> {
    const nodes = await Promise.all(Array.from({ length: MASTERS + 1 }, () => startNode()))
    const made = new RedisCluster(nodes)
    const [first] = nodes
    await made.each(async (client, index) => {
      if (index > 0) await client.cluster('MEET', '127.0.0.1', first!.port, first!.port + BUS_OFFSET)
      if (index < MASTERS) await client.cluster('ADDSLOTSRANGE', ...rangeOf(index))
    })
    await eventually(
      () => made.agreement(),
      (states) => states.every((state) => state === `ok ${nodes.length}`),
    )
    const firstId = await made.ask(0, (client) => client.cluster('MYID'))
    await made.ask(MASTERS, (client) => client.cluster('REPLICATE', firstId))
    await eventually(
      () => made.ask(MASTERS, (client) => client.info('replication')),
      (info) => /master_link_status:up/.test(info),
    )
    return made
  }

  get settings() {
    return { REDIS_URL: this.nodes.map(({ port }) => `redis://127.0.0.1:${port}`).join(','), REDIS_MODE: 'cluster' as const }
  }

  /** Whether every node that lives can serve every slot. */
  async agreement(): Promise<string[]> {
    return this.each(async (client) => {
      const info = await client.cluster('INFO')
      return `${/cluster_state:(\w+)/.exec(info)?.[1]} ${/cluster_known_nodes:(\d+)/.exec(info)?.[1]}`
    })
  }

  async ask<T>(index: number, question: (client: Redis) => Promise<T>): Promise<T> {
    const client = new Redis(this.nodes[index]!.port, '127.0.0.1')
    client.on('error', () => undefined)
    try {
      return await question(client)
    } finally {
      client.disconnect()
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()))
  }

  private each<T>(question: (client: Redis, index: number) => Promise<T>): Promise<T[]> {
    return Promise.all(this.nodes.map((_, index) => this.ask(index, (client) => question(client, index))))
  }
}

async function startNode(): Promise<RedisProcess> {
  // The bus port must exist, too.
  let port = await freePort()
  while (port + BUS_OFFSET > 65_535) port = await freePort()
  return RedisProcess.start(['cluster-enabled yes', 'cluster-node-timeout 1000', 'cluster-config-file nodes.conf'], 'server', port)
}

function rangeOf(index: number): [number, number] {
  const bound = (part: number) => Math.floor((SLOTS * part) / MASTERS)
  return [bound(index), bound(index + 1) - 1]
}
