import type { Pool } from 'pg'
import type { Sql } from '../../src/platform/postgres/sql.js'
import { visit, type PlanNode } from './plan.js'

/** What one statement, perhaps one inside a function, has cost. */
export interface Execution {
  text: string
  /** That it returned. */
  rows: number
  /** 8 KiB pages that it looked at, most of them in memory. */
  pages: number
  /** That it read from tables and threw away. */
  removed: number
}

/** Every statement that `work` caused, those inside functions and triggers too. It is rolled back. */
export async function execute(pool: Pool, work: (sql: Sql) => Promise<unknown>): Promise<Execution[]> {
  const client = await pool.connect()
  const executions: Execution[] = []
  const listen = ({ message }: { message?: string | undefined }) => {
    const execution = read(message ?? '')
    if (execution) executions.push(execution)
  }
  try {
    await client.query('BEGIN')
    client.on('notice', listen)
    await work(client)
    // The plan of a statement comes when the next one takes its place.
    await client.query('SELECT $1::integer', [1])
    return executions
  } finally {
    client.off('notice', listen)
    await client.query('ROLLBACK')
    client.release()
  }
}

/** A notice of auto_explain: `duration: 0.1 ms  plan:` and the plan in JSON. */
function read(notice: string): Execution | undefined {
  if (!notice.startsWith('duration:')) return undefined
  const { 'Query Text': text, Plan: plan } = JSON.parse(notice.slice(notice.indexOf('{'))) as { 'Query Text': string; Plan: PlanNode }
  let removed = 0
  visit(plan, (node) => {
    if (node['Relation Name'] !== undefined) removed += (node['Actual Loops'] ?? 1) * (node['Rows Removed by Filter'] ?? 0)
  })
  const pages = (plan['Shared Hit Blocks'] ?? 0) + (plan['Shared Read Blocks'] ?? 0)
  return { text, rows: plan['Actual Rows'] ?? 0, pages, removed }
}
