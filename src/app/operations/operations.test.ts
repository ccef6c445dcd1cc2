import { describe, expect, it, jest } from '@jest/globals'
import { Metrics } from '../../platform/observability/metrics.js'
import { Readiness } from '../../platform/observability/readiness.js'
import { Operations } from './operations.js'

function setting() {
  const query = jest.fn(async () => ({ rows: [{}] }))
  const readiness = new Readiness({ query } as never)
  const metrics = new Metrics()
  const render = jest.spyOn(metrics.registry, 'metrics')
  return { query, readiness, render, operations: new Operations(readiness, metrics) }
}

describe('probes and scrapes', () => {
  it('that come at once share one rendering', async () => {
    const { render, operations } = setting()
    const answers = await Promise.all(Array.from({ length: 500 }, () => operations.scrape()))
    expect(new Set(answers.map(({ bytes }) => bytes)).size).toBe(1)
    expect(render).toHaveBeenCalledTimes(1)
  })

  it('ask the database once together, and again for a drain, which shows at once', async () => {
    const { query, readiness, operations } = setting()
    const ready = await Promise.all(Array.from({ length: 500 }, () => operations.ready()))
    expect(new Set(ready.map(({ status }) => status))).toEqual(new Set([200]))
    const once = query.mock.calls.length
    readiness.drain()
    const draining = await Promise.all(Array.from({ length: 500 }, () => operations.ready()))
    expect(new Set(draining.map(({ status }) => status))).toEqual(new Set([503]))
    expect(query).toHaveBeenCalledTimes(2 * once)
  })
})
