import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { ROOT } from './shell-blocks.js'

const SOURCES = globSync(['src/**/*.ts', 'prisma/functions/*.sql', 'prisma/migrations/**/*.sql'], {
  cwd: ROOT,
  exclude: (path) => path === 'generated',
})
const DOCUMENT = /\b(RFC ?\d{4}|draft-[a-z]|SEC 1|FIPS \d|architecture|docs\/(identity|x509)|X\.690|Web Authentication)/
const COMMENT = /^\s*(\*|\/\*|\/\/|--)/
/** The rules of RFC 9420, whose table says so once (docs/mls-rules.md). */
const OF_RFC_9420 = 'src/protocol/mls/rules.ts'

const chapters = new Set(
  [...readFileSync(join(ROOT, 'docs/architecture.md'), 'utf8').matchAll(/^## §(\d+) /gm)].map(([, number]) => number),
)

/** Sections of which a comment does not say whose they are. One of the architecture page may stand alone, outside of `protocol/`. */
function unclear(path: string): string[] {
  const lines = readFileSync(join(ROOT, path), 'utf8').split('\n')
  return lines.flatMap((line, index) => {
    let first = index
    while (COMMENT.test(line) && COMMENT.test(lines[first - 1] ?? '')) first -= 1
    const before = lines.slice(first, index).join(' ')
    return [...line.matchAll(/§(\w+(?:\.\d+)*)/g)].flatMap((match) => {
      if (DOCUMENT.test(`${before} ${line.slice(0, match.index)}`)) return []
      const ofArchitecture = !path.startsWith('src/protocol/') && chapters.has(match[1] ?? '')
      return ofArchitecture ? [] : [`${path}:${index + 1} ${match[0]}`]
    })
  })
}

describe('sections that comments name', () => {
  it('are of a document that the comment names, or of the architecture page', () => {
    expect(SOURCES.length).toBeGreaterThan(500)
    expect(chapters.size).toBe(12)
    expect(SOURCES.filter((path) => path !== OF_RFC_9420).flatMap(unclear)).toEqual([])
  })
})
