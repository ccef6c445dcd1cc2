import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationShutdown } from '@nestjs/common'
import type { Pool } from 'pg'
import { Jobs } from './jobs/jobs.js'
import { POOL } from './postgres/sql.js'
import { PRISMA, type Prisma } from './postgres/prisma.js'
import { RedisClients } from './redis/redis-clients.js'

/**
 * Ends things in the order in which others need them. Features end theirs in `beforeApplicationShutdown`
 * (streams, cursors); the connections go last, after the HTTP server.
 */
@Injectable()
export class PlatformShutdown implements BeforeApplicationShutdown, OnApplicationShutdown {
  constructor(
    private readonly jobs: Jobs,
    private readonly redis: RedisClients,
    @Inject(POOL) private readonly pool: Pool,
    @Inject(PRISMA) private readonly prisma: Prisma,
  ) {}

  async beforeApplicationShutdown(): Promise<void> {
    await this.jobs.close()
  }

  async onApplicationShutdown(): Promise<void> {
    this.redis.close()
    await this.prisma.$disconnect()
    await this.pool.end()
  }
}
