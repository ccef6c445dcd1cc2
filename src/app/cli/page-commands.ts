import { parseArgs } from 'node:util'
import { configurationPage } from '../../platform/config/config-page.js'
import { limitsPage } from '../limits-page.js'
import type { Command } from './command.js'
import { writeOrCheck } from './generated-file.js'

/** The commands that write pages of docs/ from the sources. */
export const pageCommands: readonly Command[] = [
  writing('config-docs', 'docs/configuration.md', configurationPage),
  writing('errors-docs', 'docs/errors.md', async () => (await import('../openapi/errors-page.js')).errorsPage()),
  writing('limits-docs', 'docs/limits.md', limitsPage),
]

function writing(name: string, path: string, page: () => string | Promise<string>): Command {
  return {
    name,
    usage: `[--check]          Write ${path}, or fail if it differs.`,
    async run(args) {
      const { values } = parseArgs({ args: [...args], options: { check: { type: 'boolean', default: false } } })
      await writeOrCheck(path, await page(), values.check)
    },
  }
}
