import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { ROOT } from './shell-blocks.js'

const FOLDER = join(ROOT, 'docs/adr')
const FILES = readdirSync(FOLDER).filter((name) => /^\d{4}-.*\.md$/.test(name))
const read = (name: string) => readFileSync(join(FOLDER, name), 'utf8')

/** Number, title and date, as the first lines of each page have them. */
const HEAD = /^# (\d+)\. (.+)\n\nDate: (\d{4}-\d{2}-\d{2})(?: \(last changed (\d{4}-\d{2}-\d{2})\))?\n/

describe('the decisions', () => {
  it('are all in the index, under their titles and dates, and nothing else is', () => {
    const rows = [...FILES].sort().map((name) => {
      const [, number, title, date, changed = ''] = HEAD.exec(read(name)) ?? []
      return `| ${number} | [${title}](${name}) | ${date} | ${changed} |`
    })
    expect(rows.length).toBeGreaterThan(20)
    expect(
      read('README.md')
        .split('\n')
        .filter((line) => /^\| \d/.test(line)),
    ).toEqual(rows)
  })

  it.each(FILES)('%s has its number, a status, and what else was considered', (name) => {
    const text = read(name)
    const sections = [...text.matchAll(/^## (.*)$/gm)].map(([, title]) => title)
    expect(Number(HEAD.exec(text)?.[1])).toBe(Number(name.slice(0, 4)))
    expect(sections).toEqual(expect.arrayContaining(['Status', 'Context', 'Decision', 'Consequences', 'Alternatives considered']))
    // One page each.
    expect(text.split('\n').length).toBeLessThan(80)
  })
})
