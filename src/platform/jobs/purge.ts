import type { FactoryProvider } from '@nestjs/common'
import type { Pool } from 'pg'
import { CONFIG, type Config } from '../config/config.js'
import { POOL, type Sql } from '../postgres/sql.js'
import { Jobs } from './jobs.js'

export interface Purge {
  /** Of the job, with its version; also the token of the provider, whose value makes one run. */
  readonly name: string
  readonly everyMs: number
  /** One after another, each in statements of its own. Every reader looks at the time itself, so a run may be late. */
  readonly deletions: readonly ((sql: Sql) => Promise<unknown>)[]
  /** Whether there is anything to delete under these settings; always, if it is left out. */
  readonly needed?: (config: Config) => boolean
}

/** A provider of a job that deletes rows which nobody needs any more. */
export function purgeJob({ name, everyMs, deletions, needed }: Purge): FactoryProvider<() => Promise<void>> {
  return {
    provide: name,
    inject: [Jobs, POOL, CONFIG],
    useFactory: (jobs: Jobs, pool: Pool, config: Config) => {
      const run = async () => {
        for (const deletion of deletions) await deletion(pool)
      }
      if (needed?.(config) ?? true) jobs.every(name, everyMs, run)
      return run
    },
  }
}

/**
 * Deletes by short statements, until one finds less than it may delete.
 * @param most rows that one `step` deletes
 * @param step deletes, and says how many rows
 * @returns how many rows there were in all
 */
export async function deleteInBatches(most: number, step: () => Promise<number>): Promise<number> {
  let total = 0
  for (;;) {
    const rows = await step()
    total += rows
    if (rows < most) return total
  }
}
