import { describe, expect, it } from '@jest/globals'
import { redisSettings } from '../../../test/support/redis.js'
import { createLog } from '../observability/log.js'
import { Metrics } from '../observability/metrics.js'
import { RedisClients } from '../redis/redis-clients.js'
import { RedisSubscription } from '../redis/redis-subscription.js'
import { Secrets } from '../secrets.js'
import { Hints } from './hints.js'

const log = createLog({ LOG_LEVEL: 'silent' })
const create = () => {
  const [redis, metrics] = [new RedisClients(redisSettings()), new Metrics()]
  const secrets = new Secrets({ SERVER_SECRET: Buffer.alloc(32, 1).toString('base64') })
  return new Hints(redis, new RedisSubscription(redis, metrics, log), secrets, metrics, log)
}

describe('hints in one process', () => {
  it('reach every listener at once, until it stops listening', () => {
    const hints = create()
    const heard: unknown[] = []
    const stop = hints.subscribe((hint) => heard.push(hint))
    hints.publish([{ kind: 'inbox', deviceId: 1n }])
    stop()
    hints.publish([{ kind: 'inbox', deviceId: 2n }])
    expect(heard).toEqual([{ kind: 'inbox', deviceId: 1n }])
  })
  it('a listener that fails harms neither the publisher nor the others', () => {
    const hints = create()
    const heard: unknown[] = []
    hints.subscribe(() => {
      throw new Error('no')
    })
    hints.subscribe((hint) => heard.push(hint))
    expect(() => hints.publish([{ kind: 'inbox', deviceId: 1n }])).not.toThrow()
    expect(heard).toHaveLength(1)
  })
})
