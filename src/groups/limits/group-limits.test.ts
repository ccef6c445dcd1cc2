import { describe, expect, it } from '@jest/globals'
import { loadConfig } from '../../platform/config/config.js'
import { RateLimited } from '../../platform/http/problem.js'
import { Limits } from '../../platform/limits/limits.js'
import { Metrics } from '../../platform/observability/metrics.js'
import { RedisClients } from '../../platform/redis/redis-clients.js'
import { Secrets } from '../../platform/secrets.js'
import { GroupLimits } from './group-limits.js'

const settings = {
  DOMAIN: 'a.example',
  SERVER_SECRET: Buffer.alloc(32, 1).toString('base64'),
  COMMITS_PER_MINUTE: '2',
  ADDITIONS_PER_PAIR_PER_HOUR: '3',
  ADDITIONS_PER_DEVICE_PER_HOUR: '100',
  JOIN_CODE_GUESSES_PER_HOUR: '2',
  ACCOUNT_DAILY_BYTES: '100',
}

function limits(): GroupLimits {
  const config = loadConfig(settings)
  return new GroupLimits(new Limits(new RedisClients(config), new Secrets(config), new Metrics()), config)
}
const at = (domain: string, user: number) => ({ deviceId: BigInt(user), user: `mimi://${domain}/u/${user}` })

/** How many of these were taken. */
async function taken(times: number, take: (n: number) => Promise<unknown>): Promise<number> {
  let count = 0
  for (let n = 0; n < times; n++) {
    const refused: unknown = await take(n).then(
      () => (count++, undefined),
      (error: unknown) => error,
    )
    if (refused !== undefined) expect(refused).toBeInstanceOf(RateLimited)
  }
  return count
}

describe('limits of groups', () => {
  it('hold for each user of another provider, and for all of them together', async () => {
    const counted = limits()
    expect(await taken(5, () => counted.take(at('b.example', 0), 'commits'))).toBe(2)
    // The first refusal above did not reach the provider's counter: 38 are left of 20 times two.
    expect(await taken(60, (n) => counted.take(at('b.example', 1 + n), 'commits'))).toBe(38)
    expect(await taken(60, (n) => counted.take(at('a.example', 100 + n), 'commits'))).toBe(60)
    expect(await taken(2, () => counted.take(at('c.example', 1_000), 'commits'))).toBe(2)
  })

  it('do not let the users of one provider use up what a device may be added by all', async () => {
    const counted = limits()
    expect(await taken(200, (n) => counted.additions(at('b.example', n), [7n]))).toBe(30)
    expect(await taken(1, () => counted.additions(at('a.example', 1), [7n]))).toBe(1)
  })

  it('are such, where nobody sets any, that no provider uses up what a device may be added by all', async () => {
    const config = loadConfig({ DOMAIN: settings.DOMAIN, SERVER_SECRET: settings.SERVER_SECRET })
    const counted = new GroupLimits(new Limits(new RedisClients(config), new Secrets(config), new Metrics()), config)
    expect(await taken(1_000, (n) => counted.additions(at('b.example', n), [7n]))).toBeLessThan(config.ADDITIONS_PER_DEVICE_PER_HOUR)
    expect(await taken(1, () => counted.additions(at('a.example', 1), [7n]))).toBe(1)
  })

  it('count a Commit that was not accepted for nobody, and what admins commit by itself', async () => {
    const config = loadConfig({ ...settings, COMMITS_PER_GROUP_PER_MINUTE: '2' })
    const counted = new GroupLimits(new Limits(new RedisClients(config), new Secrets(config), new Metrics()), config)
    const commit = (admin: boolean, ...putIn: bigint[]) => counted.commit(at('a.example', 1), { gid: 1n, admin }, putIn)
    for (let n = 0; n < 5; n++) await (await commit(false, 7n))()
    expect(await taken(4, () => commit(false))).toBe(2)
    expect(await taken(4, () => commit(true, 7n))).toBe(2)
    // Of four that put in a device the admin's two have counted: one is left.
    expect(await taken(4, () => counted.additions(at('a.example', 1), [7n]))).toBe(1)
  })

  it('count additions that did not happen for nobody', async () => {
    const counted = limits()
    for (let n = 0; n < 10; n++) await (await counted.additions(at('a.example', 1), [7n, 8n]))()
    expect(await taken(5, () => counted.additions(at('a.example', 1), [7n]))).toBe(3)
    // One of two is refused: so are both, and the other one has lost nothing.
    expect(await taken(1, () => counted.additions(at('a.example', 1), [7n, 8n]))).toBe(0)
    expect(await taken(5, () => counted.additions(at('a.example', 1), [8n]))).toBe(3)
  })

  it('let right join codes pass as often as they come, until too many were wrong', async () => {
    const counted = limits()
    const caller = at('a.example', 1)
    expect(await taken(9, () => counted.guess(caller, 1n, true))).toBe(9)
    expect(await taken(9, () => counted.guess(caller, 1n, false))).toBe(2)
    expect(await taken(1, () => counted.guess(caller, 1n, true))).toBe(0)
  })

  it('count no bytes of a call that is refused for its number', async () => {
    const counted = limits()
    const caller = at('a.example', 1)
    expect(await taken(9, () => counted.takeWith(caller, 'commits', 20))).toBe(2)
    expect(await counted.bytesOf(caller.user)).toEqual({ used: 40, allowed: 100 })
    expect(await taken(1, () => counted.takeWith(caller, 'messages', 61))).toBe(0)
    expect(await taken(1, () => counted.takeWith(caller, 'messages', 60))).toBe(1)
  })
})
