import { describe, expect, it, jest } from '@jest/globals'
import { Metrics } from '../../platform/observability/metrics.js'
import type { Readiness, ReadinessReport } from '../../platform/observability/readiness.js'
import { Operations } from './operations.js'

function setting(status: ReadinessReport['status'] = 'ok') {
  const readiness = { report: async (): Promise<ReadinessReport> => ({ status, checks: {} }) } as Readiness
  const metrics = new Metrics()
  const render = jest.spyOn(metrics.registry, 'metrics')
  return { render, operations: new Operations(readiness, metrics) }
}

describe('probes and scrapes', () => {
  it('that come at once share one rendering', async () => {
    const { render, operations } = setting()
    const answers = await Promise.all(Array.from({ length: 500 }, () => operations.scrape()))
    expect(new Set(answers.map(({ bytes }) => bytes)).size).toBe(1)
    expect(render).toHaveBeenCalledTimes(1)
  })

  it.each([
    ['ok', 200],
    ['degraded', 200],
    ['unavailable', 503],
  ] as const)('a node that is %s answers %i', async (state, status) => {
    const answer = await setting(state).operations.ready()
    expect([answer.status, JSON.parse(answer.bytes.toString())]).toEqual([status, { status: state, checks: {} }])
  })
})
