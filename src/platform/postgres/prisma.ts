import { PrismaPg } from '@prisma/adapter-pg'
import { PrismaClient } from '../../generated/prisma/client.js'
import { PostgresTarget } from './client/postgres-target.js'
import { poolConfig } from './sql.js'

/** Provider token of the process's one Prisma client. It is for the tables of schema.prisma and cold paths only. */
export const PRISMA = Symbol('PRISMA')

/** Reads only (docs/adr/0023-prisma-beside-pg.md): what writes is SQL, in one of our transactions. */
type Reads = 'findMany' | 'findFirst' | 'findUnique' | 'findUniqueOrThrow' | 'count'
type Model = 'account' | 'device' | 'signatureKey' | 'challenge' | 'invite' | 'refreshToken' | 'tokenSigningKey'

export type Prisma = { readonly [M in Model]: Pick<PrismaClient[M], Reads> } & Pick<PrismaClient, '$disconnect'>

/** A client with its own few connections (`max`); `$disconnect()` closes them. Nothing connects before the first query. */
export function createPrisma(where: string | PostgresTarget, { max }: { max: number }): PrismaClient {
  const target = typeof where === 'string' ? new PostgresTarget(where) : where
  return new PrismaClient({ adapter: new PrismaPg(poolConfig(target, { max, application_name: 'microchat-prisma' })) })
}
