import { randomBytes } from 'node:crypto'
import type { Caller } from '../../src/authentication/session/caller.js'
import { GroupLimits } from '../../src/groups/limits/group-limits.js'
import { loadConfig } from '../../src/platform/config/config.js'
import { Limits } from '../../src/platform/limits/limits.js'
import { Metrics } from '../../src/platform/observability/metrics.js'
import { migrate } from '../../src/platform/postgres/migrate.js'
import { createPool } from '../../src/platform/postgres/sql.js'
import type { RedisClients } from '../../src/platform/redis/redis-clients.js'
import { Secrets } from '../../src/platform/secrets.js'
import { BYTES, compare, fillGroups, installVariants, type Variant } from '../append-variants.js'
import { Processes } from '../processes.js'
import { printTable } from '../samples.js'

/**
 * `npm run bench -- delivery/append`: what quotas and checks add to `append_messages`. The function of prisma/functions/append.sql beside the
 * same without some of its lines, in turns within one run, on the same groups, by the time on a core. Commits are not flushed to the disk, which would hide what
 * the function itself takes: with flushing the share is smaller.
 */
/** Microseconds on a core of counting one message for its device, and for its device and the bytes of its account, in a process without Redis. */
async function countingTakes(): Promise<{ before: number; now: number }> {
  const config = loadConfig({
    DATABASE_URL: 'postgres://x',
    SERVER_SECRET: randomBytes(32).toString('base64'),
    MESSAGES_PER_MINUTE: '1000000',
  })
  const limits = new GroupLimits(new Limits({ publisher: undefined } as RedisClients, new Secrets(config), new Metrics()), config)
  const caller = { deviceId: 1n, user: 'mimi://localhost/u/bench' } as Caller
  const each = async (count: () => Promise<void>) => {
    const began = process.cpuUsage()
    for (let n = 0; n < COUNTED; n++) await count()
    const { user, system } = process.cpuUsage(began)
    return (user + system) / COUNTED
  }
  await each(() => limits.takeWith(caller, 'messages', BYTES)) // warm
  return { before: await each(() => limits.take(caller, 'messages')), now: await each(() => limits.takeWith(caller, 'messages', BYTES)) }
}

const COUNTED = 20_000

const percent = (ratio: number): string => `${ratio >= 1 ? '+' : ''}${((ratio - 1) * 100).toFixed(1)} %`

async function main(): Promise<void> {
  const processes = await Processes.start()
  try {
    const url = await processes.postgres()
    await migrate(url)
    const pool = createPool(url, { max: 1, prepare: true })
    await fillGroups(pool)
    await installVariants(pool)
    await pool.query('ANALYZE; SET synchronous_commit = off')
    const rows = []
    for (const [size, rounds, calls] of [
      [1, 21, 200],
      [32, 21, 60],
      [128, 21, 30],
    ] as const) {
      const { micros, ratios } = await compare(pool, size, rounds, calls)
      for (const [name, { quartile, median, upper }] of Object.entries(ratios)) {
        const [before, now] = [micros[name as Variant], micros.append_messages]
        rows.push({
          'messages in a call': size,
          against: name,
          'µs before': before,
          'µs now': now,
          cost: percent(median),
          'middle half': `${percent(quartile)} to ${percent(upper)}`,
        })
      }
    }
    printTable(rows)
    const { before, now } = await countingTakes()
    console.log(
      `Counting a message for its device takes the process ${before.toFixed(1)} µs; with the bytes of its account ${now.toFixed(1)} µs.`,
    )
    await pool.end()
  } finally {
    await processes.stop()
  }
}

await main()
