import { Module } from '@nestjs/common'
import { CONFIG, type Config } from './config/config.js'
import { configProvider } from './config/config.provider.js'
import { Hints } from './hints/hints.js'
import { Jobs } from './jobs/jobs.js'
import { Events } from './observability/events.js'
import { createLog, LOG } from './observability/log.js'
import { Metrics } from './observability/metrics.js'
import { Readiness } from './observability/readiness.js'
import { PlatformShutdown } from './platform-shutdown.js'
import { POOL } from './postgres/sql.js'
import { PRISMA } from './postgres/prisma.js'
import { createPool } from './postgres/pool.js'
import { createPrisma } from './postgres/prisma.js'
import { CommitLock } from './redis/commit-lock.js'
import { RedisClients } from './redis/redis-clients.js'
import { Secrets } from './secrets/secrets.js'

const logProvider = { provide: LOG, useFactory: (config: Config) => createLog(config), inject: [CONFIG] }
const poolProvider = { provide: POOL, useFactory: createPool, inject: [CONFIG] }
const prismaProvider = { provide: PRISMA, useFactory: createPrisma, inject: [CONFIG] }

/** The plumbing, without a word of the domain. Feature modules import it; nothing is global. */
@Module({
  providers: [
    configProvider, logProvider, poolProvider, prismaProvider, RedisClients,
    Secrets, Metrics, Events, Readiness, Hints, CommitLock, Jobs, PlatformShutdown,
  ],
  exports: [CONFIG, LOG, POOL, PRISMA, Secrets, Metrics, Events, Readiness, Hints, CommitLock, Jobs],
})
export class PlatformModule {}
