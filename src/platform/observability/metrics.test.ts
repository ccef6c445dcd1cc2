import { expect, it } from '@jest/globals'
import { Metrics } from './metrics.js'

it('leaves out a gauge that cannot be read, at once or in time, and counts it; the others are shown', async () => {
  const metrics = new Metrics()
  metrics.gauge('fine', 'Read at once', () => 1)
  metrics.gauge('later', 'Read later', async () => 2)
  metrics.gauge('away', 'Not to be read', () => Promise.reject(new Error('PostgreSQL is away')))
  metrics.gauge('thrown', 'Not to be read', () => {
    throw new Error('away')
  })
  metrics.gauge('silent', 'Never read', () => new Promise(() => undefined))
  const first = await metrics.registry.metrics()
  expect(first).toMatch(/^fine 1$/m)
  expect(first).toMatch(/^later 2$/m)
  expect(first).not.toMatch(/^(away|thrown|silent) /m)
  const second = await metrics.registry.metrics()
  for (const name of ['away', 'thrown', 'silent'])
    expect(second).toMatch(new RegExp(`^metrics_unread_total\\{metric="${name}"\\} [12]$`, 'm'))
})

it('shows no value of before', async () => {
  const metrics = new Metrics()
  let away = false
  metrics.gauge('sometimes', 'Read while it is there', async () => {
    if (away) throw new Error('away')
    return 1
  })
  expect(await metrics.registry.metrics()).toMatch(/^sometimes 1$/m)
  away = true
  expect(await metrics.registry.metrics()).not.toMatch(/^sometimes /m)
})
