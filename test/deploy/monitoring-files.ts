import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

export const read = (path: string): string => readFileSync(join(import.meta.dirname, '../..', path), 'utf8')

export interface Panel {
  id: number
  type: string
  title: string
  gridPos: { x: number; y: number; w: number; h: number }
  datasource?: { type: string; uid: string }
  targets?: { refId: string; expr: string; datasource: { type: string; uid: string } }[]
}

export interface Dashboard {
  schemaVersion: number
  title: string
  uid: string
  panels: Panel[]
  templating: { list: { name: string; type: string; query: string | { query: string } }[] }
}

export const dashboard = JSON.parse(read('deploy/grafana/dashboard.json')) as Dashboard

export interface Rule {
  alert: string
  expr: string
  for?: string
  labels: { severity: string }
  annotations: { summary: string; runbook_url: string }
}

const { groups } = parse(read('deploy/prometheus/alerts.yaml')) as { groups: { name: string; rules: Rule[] }[] }
export const rules = groups.flatMap((group) => group.rules)

export const guide = read('docs/operator-guide.md')

/** The rows of the guide's table of alerts. */
export const documentedAlerts = [...guide.matchAll(/^\| \[(Microchat\w+)\]\(#(\w+)\) \| (\w+) \| (\w*) \| `(.+)` \|$/gm)].map(
  ([, alert, anchor, severity, duration, expr]) => ({ alert, anchor, severity, for: duration, expr }),
)

/** Where a link into the guide may lead, as GitHub makes anchors of headings. */
export const anchors = new Set(
  [...guide.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
  ),
)

/** Every PromQL expression of the dashboard, alerts and guide, with its place. */
export function expressions(): [string, string][] {
  const panels = dashboard.panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ refId, expr }): [string, string] => [`dashboard: ${title} ${refId}`, withoutVariables(expr)]),
  )
  const alerts = rules.map(({ alert, expr }): [string, string] => [`alerts: ${alert}`, expr])
  const fences = [...guide.matchAll(/^```promql\n([^]+?)^```$/gm)].flatMap(([, text = '']) => text.trim().split('\n'))
  return [...panels, ...alerts, ...fences.map((text, index): [string, string] => [`guide: ${index + 1}`, text])]
}

/** Grafana's own are replaced before Prometheus sees the text. */
function withoutVariables(expr: string): string {
  return expr.replaceAll('$__rate_interval', '5m').replaceAll(/\$(job|instance)\b/g, 'x')
}
