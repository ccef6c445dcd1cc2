import { expect, it } from '@jest/globals'
import { readFileSync } from 'node:fs'
import { IDENTITY_RULES } from '../../src/protocol/identity/rules.js'
import { STEP_UP_PURPOSES } from '../../src/protocol/identity/step-up.js'

const page = readFileSync('docs/identity.md', 'utf8')

it('has the rules of the code, word for word where they stand in a table', () => {
  const rows = new Map([...page.matchAll(/^\| `([a-z-]+)` +\| (.+?) +\|$/gm)].map(([, name, says]) => [name, says]))
  for (const [rule, says] of Object.entries(IDENTITY_RULES)) {
    if (rule.startsWith('head-')) expect(page).toContain(`\`${rule}\``)
    else expect([rule, rows.get(rule)]).toEqual([rule, says])
  }
})

it('has the purposes of the code', () => {
  for (const purpose of STEP_UP_PURPOSES) expect(page).toContain(`\`${purpose}\``)
})
