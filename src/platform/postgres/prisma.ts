import { PrismaPg } from '@prisma/adapter-pg'
import { PrismaClient } from '../../generated/prisma/client.js'
import { PostgresTarget } from './client/postgres-target.js'
import { poolConfig } from './sql.js'

/** Provider token of the process's one Prisma client. It is for the tables of schema.prisma and cold paths only. */
export const PRISMA = Symbol('PRISMA')

export type Prisma = PrismaClient

/** A client with its own few connections (`max`); `$disconnect()` closes them. Nothing connects before the first query. */
export function createPrisma(where: string | PostgresTarget, { max }: { max: number }): Prisma {
  const target = typeof where === 'string' ? new PostgresTarget(where) : where
  return new PrismaClient({ adapter: new PrismaPg(poolConfig(target, { max, application_name: 'microchat-prisma' })) })
}
