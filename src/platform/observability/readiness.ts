import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { POOL } from '../postgres/sql.js'

export type Check = 'ok' | 'failing'
export interface ReadinessReport {
  ready: boolean
  checks: Record<string, Check>
}

/** Whether to send requests here. Redis is not asked: without it everything works, only later. */
@Injectable()
export class Readiness {
  private draining = false

  constructor(@Inject(POOL) private readonly pool: Pool) {}

  get isDraining(): boolean {
    return this.draining
  }

  /** From now on this node is going away. */
  drain(): void {
    this.draining = true
  }

  async report(): Promise<ReadinessReport> {
    const database = await this.check('SELECT 1')
    const migrations = database === 'ok' ? await this.check(UNFINISHED_MIGRATIONS) : 'failing'
    const serving: Check = this.draining ? 'failing' : 'ok'
    const checks = { serving, database, migrations }
    return { ready: Object.values(checks).every((check) => check === 'ok'), checks }
  }

  private async check(query: string): Promise<Check> {
    try {
      const { rows } = await this.pool.query(query)
      return rows.length > 0 ? 'ok' : 'failing'
    } catch {
      return 'failing'
    }
  }
}

/** One row if there are migrations and none stopped half-way. */
const UNFINISHED_MIGRATIONS = `
  SELECT 1 FROM _prisma_migrations
  HAVING count(*) > 0 AND count(*) FILTER (WHERE finished_at IS NULL AND rolled_back_at IS NULL) = 0`
