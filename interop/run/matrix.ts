import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Mode } from '../../examples/client/store.js'
import type { Campaign } from './campaign.js'
import { CERTIFIED_OPERATIONS } from './certified.js'
import { LINEUPS, type Lineup, type Result } from './lineups.js'
import { OPERATIONS, type Operation } from './operations.js'

const PAGE = join(import.meta.dirname, '../../../docs/interop.md')
const BEGIN = '<!-- Written by `npm run interop`: from here -->'
const END = '<!-- to here -->'
const MODES: readonly Mode[] = ['public', 'private']

/** What passed, per operation, line-up, mode and suite. */
export class Matrix {
  readonly #results = new Map<string, Result['kind'][]>()
  readonly #campaigns: string[] = []

  add(lineup: string, mode: Mode, suite: number, operation: string, result: Result): void {
    const cell = key(lineup, mode, suite, operation)
    this.#results.set(cell, [...(this.#results.get(cell) ?? []), result.kind])
  }

  /** `epochs`: how many passed; undefined if the members came to disagree. */
  addCampaign({ mode, suite, seed }: Campaign, epochs: number | undefined): void {
    const outcome = epochs === undefined ? '**failed**' : `${epochs} epochs, equal authenticators after each step`
    this.#campaigns.push(`| all three | ${mode} | ${suite} | ${seed} | ${outcome} |`)
  }

  /** Replaces the part of docs/interop.md between its two marks. */
  async write(): Promise<void> {
    const page = await readFile(PAGE, 'utf8')
    const [before, rest] = page.split(BEGIN)
    const after = rest?.split(END)[1]
    if (before === undefined || after === undefined) throw new Error(`${PAGE} has no place for the matrix`)
    await writeFile(PAGE, `${before}${BEGIN}\n\n${this.#text()}\n\n${END}${after}`)
  }

  #text(): string {
    const campaigns = ['| group | mode | suite | seed | result |', '| --- | --- | --- | --- | --- |', ...this.#campaigns].join('\n')
    const [plain, certified] = [LINEUPS.filter(({ identities }) => !identities), LINEUPS.filter(({ identities }) => identities)]
    const certifiedOperations = [...OPERATIONS, ...CERTIFIED_OPERATIONS]
    return [this.#table(plain, OPERATIONS), this.#table(certified, certifiedOperations), campaigns].join('\n\n')
  }

  #table(lineups: readonly Lineup[], operations: readonly Operation[]): string {
    const columns = lineups.flatMap(({ name, suites }) => MODES.map((mode) => ({ name, mode, suites })))
    const head = ['operation', ...columns.map(({ name, mode }) => `${name} ${mode}`)]
    const rows = operations.map(({ name }) => [name, ...columns.map((column) => this.#cell(column, name))])
    return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
  }

  /** The suites in which it passed in every order of the stacks; those in which it failed in bold; a dash where a library has no way to it. */
  #cell({ name, mode, suites }: { name: string; mode: Mode; suites: readonly number[] }, operation: string): string {
    const shown = suites.flatMap((suite) => {
      const kinds = this.#results.get(key(name, mode, suite, operation)) ?? []
      if (kinds.includes('failed')) return [`**✗ ${suite}**`]
      return kinds.includes('passed') ? [`${suite}`] : []
    })
    return shown.length === 0 ? '–' : shown.join(' ')
  }
}

const key = (...parts: (string | number)[]): string => parts.join('\n')
