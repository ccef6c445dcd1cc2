import { Controller, Get, Inject, Module, Param } from '@nestjs/common'
import type { Pool } from 'pg'
import { AppModule } from '../../src/app/app.module.js'
import { Anonymous } from '../../src/authentication/session/caller.js'
import { PlatformModule } from '../../src/platform/platform.module.js'
import { POOL } from '../../src/platform/postgres/sql.js'
import { PrismaClient } from '../../src/generated/prisma/client.js'
import { PRISMA } from '../../src/platform/postgres/prisma.js'
import { createTestDatabase, type TestDatabase } from '../support/database.js'
import { startServer } from '../support/server.js'

/** Statements behind routes, to see what becomes of their failures. */
@Anonymous()
@Controller('v1/database')
class DatabaseController {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(PRISMA) private readonly prisma: PrismaClient,
  ) {}

  @Get('read')
  async read() {
    await this.pool.query('SELECT count(*) FROM groups')
    return 'done'
  }

  @Get('write')
  async write() {
    await this.pool.query('CREATE TABLE IF NOT EXISTS written (at timestamptz); INSERT INTO written VALUES (now())')
    return 'done'
  }

  @Get('write-by-prisma')
  async writeByPrisma() {
    await this.prisma.account.deleteMany({ where: { id: -1n } })
    return 'done'
  }

  /** Raises an SQLSTATE as if PostgreSQL had done so. */
  @Get('raise/:state')
  async raise(@Param('state') state: string) {
    await this.pool.query(`DO $$ BEGIN RAISE EXCEPTION 'hunter2' USING ERRCODE = '${state}'; END $$`)
  }

  @Get('nul')
  async nul() {
    await this.pool.query('SELECT $1::text', ['hunter2\0'])
  }
}

@Module({ imports: [AppModule, PlatformModule], controllers: [DatabaseController] })
class DatabaseModule {}

export interface Ready {
  http: number
  status: string
  checks: Record<string, string>
}

/** Databases and servers of one test; `clear` after each. */
export class DatabaseWorld {
  private readonly undo: (() => unknown)[] = []

  later(step: () => unknown): void {
    this.undo.push(step)
  }

  async clear(): Promise<void> {
    for (const step of this.undo.splice(0).reverse()) await step()
  }

  async database(): Promise<TestDatabase> {
    const database = await createTestDatabase()
    this.later(() => database.drop())
    return database
  }

  async serve(database: TestDatabase, overrides: Record<string, string> = {}) {
    const lines: string[] = []
    const server = await startServer(overrides, { database, root: DatabaseModule, log: { write: (line) => void lines.push(line) } })
    this.later(() => server.close())
    const get = async (path: string) => {
      const response = await fetch(`${server.url}/${path}`)
      const body: unknown = await response.json().catch(() => undefined)
      return { status: response.status, retryAfter: response.headers.get('retry-after'), body }
    }
    const ready = async (): Promise<Ready> => {
      const response = await fetch(`${server.url}/health/ready`)
      return { http: response.status, ...((await response.json()) as Omit<Ready, 'http'>) }
    }
    return { server, lines, get, ready, metrics: async () => (await fetch(`${server.url}/metrics`)).text() }
  }
}

/** What new sessions of this database begin with. */
export async function alter(database: TestDatabase, setting: string): Promise<void> {
  await database.pool.query(`ALTER DATABASE ${nameOf(database)} ${setting}`)
}

export function nameOf(database: TestDatabase): string {
  return new URL(database.url).pathname.slice(1)
}
