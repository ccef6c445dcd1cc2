import { readFileSync } from 'node:fs'
import { expect, it } from '@jest/globals'
import { CERTIFICATE_RULES } from '../../src/authentication/directory/leaf-certificates.js'
import { GROUP_RULES } from '../../src/groups/groups.rules.js'
import { UPLOAD_RULES } from '../../src/key-packages/check-key-package.js'
import { RULES } from '../../src/protocol/mls/rules.js'

const page = readFileSync('docs/mls-rules.md', 'utf8')

/** The rows of the page's tables, less the heads, without the spaces that align them. */
function rows(): string[] {
  const lines = page.split('\n').filter((line) => line.startsWith('| `'))
  return lines.map((line) => line.replaceAll(/ +/g, ' ').trim())
}

it('docs/mls-rules.md lists every rule of the code as the code has it, and no other', () => {
  const rules = [RULES, GROUP_RULES, UPLOAD_RULES, CERTIFICATE_RULES].flatMap((table) => Object.entries<readonly [string, string]>(table))
  expect(rows()).toEqual(rules.map(([rule, [section, says]]) => `| \`${rule}\` | ${section} | ${says} |`))
})

it('no two rules have one name', () => {
  const names = [RULES, GROUP_RULES, UPLOAD_RULES, CERTIFICATE_RULES].flatMap((table) => Object.keys(table))
  expect(new Set(names).size).toBe(names.length)
})
