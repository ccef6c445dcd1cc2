import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inspect } from 'node:util'
import type { Sql } from '../../src/platform/postgres/sql.js'
import { anything, ARGUMENTS, OTHERS } from './calls.js'

const SOURCES = join(import.meta.dirname, '../../src')

/** Folders and files whose statements need no plan: of sessions and the catalog, or an operator's, who runs them by hand. */
const WITHOUT_PLAN = ['platform/postgres/', 'app/cli/', 'app/embedded/']

/** A statement of the product, and the function of the product that sends it. */
export interface Statement {
  /** `<file without .repository.ts>:<function>` */
  by: string
  text: string
}

export interface Collected {
  statements: Statement[]
  /** Functions that could not be called with arbitrary arguments: they need some in calls.ts. */
  failed: string[]
  /** `<file>:<line>` of each `.query(` that no call reached. */
  unreached: string[]
}

/**
 * All statements of the product, by calling each exported function of each `*.repository.ts` with a connection that only writes down what
 * it is asked. So a statement that somebody adds is looked at without being listed anywhere; a file that is no repository needs a call.
 */
export async function collectStatements(): Promise<Collected> {
  const files = (await readdir(SOURCES, { recursive: true })).filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
  const collected: Collected = { statements: [], failed: [], unreached: [] }
  for (const file of files.sort().filter((one) => !WITHOUT_PLAN.some((prefix) => one.startsWith(prefix)))) {
    const source = await readFile(join(SOURCES, file), 'utf8')
    if (SENDS.test(source)) await collectFrom(file, source, collected)
  }
  return collected
}

const SENDS = /\.query[<(]/

type Call = (sql: Sql) => unknown

async function collectFrom(file: string, source: string, { statements, failed, unreached }: Collected): Promise<void> {
  const path = join(SOURCES, file)
  const lines = new Set<number>()
  for (const [by, call] of await callsOf(file)) {
    const before = statements.length
    const recorder = record(path, (text, line) => {
      statements.push({ by, text })
      lines.add(line)
    })
    const error = await attempt(() => call(recorder))
    if (statements.length === before && error !== undefined) failed.push(`${by}: ${inspect(error)}`)
  }
  for (const [index, line] of source.split('\n').entries()) {
    if (SENDS.test(line) && !lines.has(index + 1)) unreached.push(`${file}:${index + 1}`)
  }
}

async function callsOf(file: string): Promise<[string, Call][]> {
  const name =
    file
      .split('/')
      .at(-1)
      ?.replace(/(\.repository)?\.ts$/, '') ?? ''
  const other = OTHERS[file]
  if (other) return [[name, other]]
  if (!file.endsWith('.repository.ts')) return []
  const module = (await import(join(SOURCES, file))) as Record<string, unknown>
  return Object.entries(module).flatMap(([exported, value]) => {
    if (typeof value !== 'function') return []
    const by = `${name}:${exported}`
    const all = ARGUMENTS[by] ?? [Array.from({ length: value.length }, anything)]
    return all.map((given): [string, Call] => [by, (sql) => (value as (...all: unknown[]) => unknown)(sql, ...given)])
  })
}

async function attempt(work: () => unknown): Promise<unknown> {
  try {
    await work()
    return undefined
  } catch (error) {
    return error
  }
}

/** Answers every statement with one row of anything. */
function record(path: string, take: (text: string, line: number) => void): Sql {
  const query = (given: string | { text: string }): Promise<unknown> => {
    const frame = new Error().stack?.split('\n').find((one) => one.includes(path))
    take(typeof given === 'string' ? given : given.text, Number(/:(\d+):\d+\)?$/.exec(frame ?? '')?.[1] ?? 0))
    return Promise.resolve({ rows: [anything()], rowCount: 1 })
  }
  return { query } as unknown as Sql
}
