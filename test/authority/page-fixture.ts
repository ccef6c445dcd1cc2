import { readFileSync } from 'node:fs'
import type { Choices, Mode, State } from '../../src/groups/authority/table.js'

const PAGE = readFileSync(new URL('../../docs/authority.md', import.meta.url), 'utf8')

const SECTIONS_OF: Record<State, readonly string[]> = {
  open: [],
  frozen: ['A frozen group'],
  'frozen for longer': ['A group frozen for longer', 'A frozen group'],
  reinitialized: ['A reinitialized group', 'A frozen group'],
}

type Rows = Map<string, Map<string, string>>

/** What docs/authority.md says, read as a person would read it: the server's own rules are not asked. */
export function pageSays(action: string, actor: string, mode: Mode, state: State, choices: Choices): string {
  const sections = [...SECTIONS_OF[state], mode === 'private' ? 'A private group' : undefined, 'A public group']
  for (const section of sections) {
    const rows = section === undefined ? undefined : SECTIONS.get(section)?.get(actor)
    const cell = rows?.get(action) ?? rows?.get('Everything else')
    if (cell !== undefined) return verdictOf(cell, choices)
  }
  throw new Error(`docs/authority.md says nothing about "${action}" by "${actor}"`)
}

/** Rows by actor, by title of the section. */
const SECTIONS: Map<string, Rows> = new Map(
  PAGE.split(/^## /mu)
    .slice(1)
    .map((section) => [section.slice(0, section.indexOf('\n')), rowsOf(section)]),
)

function rowsOf(section: string): Rows {
  const rows: Rows = new Map()
  let actors: string[] = []
  for (const line of section.split('\n').filter((one) => one.startsWith('|'))) {
    const [title = '', ...cells] = line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim())
    if (/^-+$/u.test(title)) continue
    if (title === '') actors = cells
    else actors.forEach((actor, index) => rows.set(actor, (rows.get(actor) ?? new Map()).set(title, cells[index]!)))
  }
  return rows
}

/** "yes if `add_members` is members; else `policy`" for a policy: "yes", or the problem type. */
function verdictOf(cell: string, choices: Choices): string {
  for (const clause of cell.split('; ')) {
    const [, said, field, values] = /^(.+?) if `(.+)` is (.+)$/u.exec(clause) ?? []
    if (said === undefined) return plain(clause.replace(/^else /u, ''))
    if (values!.split(' or ').includes(choices[field as keyof Choices])) return plain(said)
  }
  throw new Error(`Not a cell: ${cell}`)
}

function plain(said: string): string {
  if (said === 'yes') return said
  const [, problem] = /^`([a-z-]+)`$/u.exec(said) ?? []
  if (problem === undefined) throw new Error(`Not a verdict: ${said}`)
  return problem
}
