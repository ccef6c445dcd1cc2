import { parseArgs } from 'node:util'
import { limitsPage } from '../limits-page.js'
import type { Command } from './command.js'
import { writeOrCheck } from './generated-file.js'

export const limitsDocs: Command = {
  name: 'limits-docs',
  usage: '[--check]          Write docs/limits.md, or fail if it differs.',
  async run(args) {
    const { values } = parseArgs({ args: [...args], options: { check: { type: 'boolean', default: false } } })
    await writeOrCheck('docs/limits.md', limitsPage(), values.check)
  },
}
