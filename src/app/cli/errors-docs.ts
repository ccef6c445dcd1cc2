import { parseArgs } from 'node:util'
import type { Command } from './command.js'
import { writeOrCheck } from './generated-file.js'

export const errorsDocs: Command = {
  name: 'errors-docs',
  usage: '[--check]         Write docs/errors.md, or fail if it differs.',
  async run(args) {
    const { values } = parseArgs({ args: [...args], options: { check: { type: 'boolean', default: false } } })
    const { errorsPage } = await import('../openapi/errors-page.js')
    await writeOrCheck('docs/errors.md', errorsPage(), values.check)
  },
}
