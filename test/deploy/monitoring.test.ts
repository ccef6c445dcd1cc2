import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { globSync, readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { Metrics } from '../../src/platform/observability/metrics.js'
import { startServer, type TestServer } from '../support/server.js'
import { anchors, documentedAlerts, dashboard, expressions, read, rules, type Panel } from './monitoring-files.js'
import { readPromql } from './promql.js'

/** Prometheus adds these to every sample from its scrape target. */
const TARGET_LABELS = ['job', 'instance']

let server: TestServer
const HISTOGRAM_SUFFIXES: [string, string[]][] = [
  ['_bucket', ['le']],
  ['_sum', []],
  ['_count', []],
]

/** Labels by metric name as scraped: a histogram has three names. */
const labelsByMetric = new Map<string, string[]>([['up', []]])

beforeAll(async () => {
  server = await startServer()
  // From the registry: a labelled counter is not scraped until it was incremented.
  for (const metric of server.app.get(Metrics).registry.getMetricsAsArray()) {
    const { name, type, labelNames = [] } = metric as typeof metric & { labelNames?: string[] }
    if (String(type) !== 'histogram') labelsByMetric.set(name, labelNames)
    else for (const [suffix, more] of HISTOGRAM_SUFFIXES) labelsByMetric.set(name + suffix, [...labelNames, ...more])
  }
})
afterAll(() => server.close())

describe('what is scraped', () => {
  it('has metrics of the pool, of streams and of requests', async () => {
    const text = await (await fetch(`${server.url}/metrics`)).text()
    for (const name of ['pg_pool_size', 'delivery_streams_open', 'http_request_duration_seconds']) expect(text).toContain(`# TYPE ${name} `)
    // PG_POOL_API of test/support/server.ts.
    expect(text).toMatch(/^pg_pool_size 6$/m)
  })
})

describe('every PromQL expression in the dashboard, alerts and guide', () => {
  it.each(expressions())('%s asks for metrics and labels that exist', (_where, text) => {
    const { selectors, grouping } = readPromql(text)
    expect(selectors.length).toBeGreaterThan(0)
    const labels = new Set(TARGET_LABELS)
    for (const { metric, matchers } of selectors) {
      const own = labelsByMetric.get(metric)
      expect([metric, own]).toEqual([metric, expect.any(Array)])
      for (const label of own ?? []) labels.add(label)
      const allowed = [...TARGET_LABELS, ...(own ?? [])]
      expect(matchers.map(({ label }) => label).filter((label) => !allowed.includes(label))).toEqual([])
    }
    expect(grouping.filter((label) => !labels.has(label))).toEqual([])
  })

  it('names events, routes and reasons that the sources know', () => {
    const sources = globSync('src/**/*.ts')
      .map((file) => readFileSync(file, 'utf8'))
      .join('')
    const { paths } = parse(read('openapi.yaml')) as { paths: object }
    const routes = Object.keys(paths).map((path) => path.replaceAll(/\{(\w+)\}/g, ':$1'))
    const asked = expressions().flatMap(([, text]) => readPromql(text).selectors.flatMap(({ matchers }) => matchers))
    const values = (label: string) => new Set(asked.filter((matcher) => matcher.label === label).flatMap(({ value }) => value.split('|')))
    expect(routes).toEqual(expect.arrayContaining([...values('route')]))
    for (const event of values('event')) expect(sources).toContain(`.record('${event}'`)
    for (const reason of values('reason')) expect(sources).toContain(`reason: '${reason}'`)
    expect([values('route').size, values('event').size, values('reason').size].every((size) => size > 0)).toBe(true)
  })
})

describe('the dashboard', () => {
  const { panels } = dashboard

  it('has unique panels and queries, no overlaps, and only built-in panel types', () => {
    expect(dashboard).toMatchObject({
      title: 'MicroChat Server',
      uid: expect.stringMatching(/^[\w-]{1,40}$/),
      schemaVersion: expect.any(Number),
    })
    expect(dashboard.schemaVersion).toBeGreaterThanOrEqual(39)
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    for (const { type, targets = [] } of panels) {
      expect(['row', 'stat', 'timeseries']).toContain(type)
      expect(new Set(targets.map(({ refId }) => refId)).size).toBe(targets.length)
      expect(targets.length > 0).toBe(type !== 'row')
    }
    expect(overlaps(panels)).toEqual([])
  })
  it('queries the selected data source, job and instances', () => {
    expect(dashboard.templating.list.map(({ name, type }) => [name, type])).toEqual([
      ['datasource', 'datasource'],
      ['job', 'query'],
      ['instance', 'query'],
    ])
    for (const { datasource, targets = [] } of panels) {
      if (targets.length > 0) expect(datasource?.uid).toBe('${datasource}')
      for (const target of targets) {
        expect(target.datasource.uid).toBe('${datasource}')
        for (const { matchers } of readPromql(target.expr.replaceAll('$__rate_interval', '5m')).selectors)
          expect(matchers).toEqual(
            expect.arrayContaining([
              { label: 'job', value: '$job' },
              { label: 'instance', value: '$instance' },
            ]),
          )
      }
    }
  })
})

function overlaps(panels: readonly Panel[]): string[] {
  const found: string[] = []
  for (const [index, { title, gridPos: a }] of panels.entries()) {
    if (a.x < 0 || a.w < 1 || a.h < 1 || a.x + a.w > 24) found.push(`${title} is not on the grid`)
    for (const { title: other, gridPos: b } of panels.slice(index + 1))
      if (a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h) found.push(`${title} and ${other}`)
  }
  return found
}

describe('the alerts', () => {
  it('have only fields that Prometheus accepts', () => {
    for (const rule of rules) {
      expect(Object.keys(rule).filter((key) => !['alert', 'expr', 'for', 'labels', 'annotations'].includes(key))).toEqual([])
      expect(rule).toMatchObject({
        labels: { severity: expect.stringMatching(/^(critical|warning)$/) },
        annotations: { summary: expect.stringMatching(/\.$/) },
      })
      if (rule.for !== undefined) expect(rule.for).toMatch(/^\d+[smh]$/)
    }
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length)
  })
  it('each link to a section of the guide', () => {
    for (const { alert, annotations } of rules) {
      expect(annotations.runbook_url).toBe(`docs/operator-guide.md#${alert.toLowerCase()}`)
      expect([...anchors]).toContain(alert.toLowerCase())
    }
  })
  it('match the table in the guide', () => {
    const expected = rules.map(({ alert, expr, labels, for: duration = '' }) => ({
      alert,
      anchor: alert.toLowerCase(),
      severity: labels.severity,
      for: duration,
      expr,
    }))
    expect(documentedAlerts).toEqual(expected)
  })
})
