import { Module } from '@nestjs/common'
import { CONFIG } from './config/config.js'
import { Hints } from './hints/hints.js'
import { Jobs } from './jobs/jobs.js'
import { launchProviders } from './launch.js'
import { Events } from './observability/events.js'
import { LOG } from './observability/log.js'
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

const poolProvider = { provide: POOL, useFactory: createPool, inject: [CONFIG] }
const prismaProvider = { provide: PRISMA, useFactory: createPrisma, inject: [CONFIG] }

/** The plumbing, without a word of the domain. Feature modules import it; nothing is global. */
@Module({
  providers: [
    ...launchProviders, poolProvider, prismaProvider, RedisClients,
    Secrets, Metrics, Events, Readiness, Hints, CommitLock, Jobs, Limits, PlatformShutdown,
  ],
  exports: [CONFIG, LOG, POOL, PRISMA, Secrets, Metrics, Events, Readiness, Hints, CommitLock, Jobs, Limits],
})
export class PlatformModule {}
