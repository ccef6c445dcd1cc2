import { parseArgs } from 'node:util'
import { configurationPage } from '../../platform/config/config-page.js'
import type { Command } from './command.js'
import { writeOrCheck } from './generated-file.js'

export const configDocs: Command = {
  name: 'config-docs',
  usage: '[--check]          Write docs/configuration.md, or fail if it differs.',
  async run(args) {
    const { values } = parseArgs({ args: [...args], options: { check: { type: 'boolean', default: false } } })
    await writeOrCheck('docs/configuration.md', configurationPage(), values.check)
  },
}
