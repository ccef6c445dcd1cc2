import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { POOL } from '../postgres/sql.js'
import { Metrics } from './metrics.js'

/** Waiting requests for connections are the first sign of a database that is too slow or a pool that is too small. */
@Injectable()
export class PoolMetrics {
  constructor(@Inject(POOL) pool: Pool, metrics: Metrics) {
    metrics.gauge('pg_pool_size', 'Connections to PostgreSQL that this process may open', () => pool.options.max)
    metrics.gauge('pg_pool_connections', 'Open connections to PostgreSQL', () => pool.totalCount)
    metrics.gauge('pg_pool_idle_connections', 'Of these, how many do nothing', () => pool.idleCount)
    metrics.gauge('pg_pool_waiting', 'Queries that wait for a connection', () => pool.waitingCount)
  }
}
