import { parseArgs } from 'node:util'
import { closeAbuseReport } from '../../../federation/abuse/abuse-reports.repository.js'
import { CliError, print, type Command } from '../command.js'
import { withDatabase } from '../with-database.js'

export const reportsClose: Command = {
  name: 'reports close',
  usage: 'NUMBER                  A complaint has been dealt with.',
  async run(args) {
    const { positionals } = parseArgs({ args: [...args], allowPositionals: true })
    const [number = ''] = positionals
    if (positionals.length !== 1 || !/^\d{1,15}$/.test(number))
      throw new CliError('Which report? Give the number that `reports list` shows.')
    const closed = await withDatabase((pool) => closeAbuseReport(pool, BigInt(number)))
    if (!closed) throw new CliError(`There is no open report ${number}.`)
    print(`Report ${number} is closed.`)
  },
}
