import { describe, expect, it } from '@jest/globals'
import { pino } from 'pino'
import { Metrics } from '../platform/observability/metrics.js'
import { DeliveryMetrics } from './delivery-metrics.js'
import { LostEntries } from './lost-entries.js'

describe('clients that have entries past the end of the log', () => {
  it('are counted each, and named in the log once a minute, without a group or a device', async () => {
    const lines: string[] = []
    const metrics = new DeliveryMetrics(new Metrics())
    let now = 0
    const lost = new LostEntries(metrics, pino({}, { write: (line) => void lines.push(line) }), () => now)
    for (const at of [0, 1, 59_999, 60_000, 60_001]) {
      now = at
      lost.note()
    }
    expect((await metrics.entriesLost.get()).values).toMatchObject([{ value: 5 }])
    expect(lines).toHaveLength(2)
    expect(Object.keys(JSON.parse(lines[0]!) as object).sort()).toEqual(['hostname', 'level', 'msg', 'pid', 'time'])
  })
})
