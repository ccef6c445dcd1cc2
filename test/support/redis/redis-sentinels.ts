import { Redis } from 'ioredis'
import { eventually } from '../eventually.js'
import { RedisProcess } from './redis-process.js'

const NAME = 'chat'

/** A master, a replica and three sentinels that need a second to miss the master. */
export class RedisSentinels {
  private constructor(
    readonly servers: readonly [RedisProcess, RedisProcess],
    readonly sentinels: readonly RedisProcess[],
  ) {}

  static async start(): Promise<RedisSentinels> {
    const master = await RedisProcess.start()
    const replica = await RedisProcess.start([`replicaof 127.0.0.1 ${master.port}`])
    const watch = [
      `sentinel monitor ${NAME} 127.0.0.1 ${master.port} 2`,
      `sentinel down-after-milliseconds ${NAME} 1000`,
      `sentinel failover-timeout ${NAME} 4000`,
    ]
    const sentinels = await Promise.all(Array.from({ length: 3 }, () => RedisProcess.start(watch, 'sentinel')))
    const made = new RedisSentinels([master, replica], sentinels)
    // They need to have found each other and the replica to be able to agree on a failover.
    await eventually(
      () => made.knownTo(sentinels[0]!),
      ({ replicas, others }) => replicas === 1 && others === 2,
    )
    return made
  }

  get settings() {
    return {
      REDIS_URL: this.sentinels.map(({ port }) => `redis://127.0.0.1:${port}`).join(','),
      REDIS_MODE: 'sentinel' as const,
      REDIS_SENTINEL_NAME: NAME,
    }
  }

  /** Port of the server that the sentinels call master. */
  async masterPort(): Promise<number> {
    return this.ask(this.sentinels[0]!, async (sentinel) =>
      Number(((await sentinel.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME)) as string[])[1]),
    )
  }

  async stop(): Promise<void> {
    await Promise.all([...this.servers, ...this.sentinels].map((each) => each.kill()))
  }

  private knownTo(sentinel: RedisProcess) {
    return this.ask(sentinel, async (client) => {
      const count = async (what: string) => ((await client.call('SENTINEL', what, NAME)) as unknown[]).length
      return { replicas: await count('REPLICAS'), others: await count('SENTINELS') }
    })
  }

  private async ask<T>({ port }: RedisProcess, question: (sentinel: Redis) => Promise<T>): Promise<T> {
    const client = new Redis(port, '127.0.0.1')
    try {
      return await question(client)
    } finally {
      client.disconnect()
    }
  }
}
