import { parseArgs } from 'node:util'
import { disableAccount } from '../../../authentication/accounts/accounts.repository.js'
import { userUri } from '../../../protocol/identifiers.js'
import { CliError, print, type Command } from '../command.js'
import { userName } from './user-arguments.js'
import { withDatabase } from '../with-database.js'

export const accountsDisable: Command = {
  name: 'accounts disable',
  usage: 'USER                Shut an account out: its devices are revoked for good.',
  async run(args) {
    const { positionals } = parseArgs({ args: [...args], allowPositionals: true })
    const user = userName(positionals[0])
    const disabled = await withDatabase((pool, { DOMAIN }) => disableAccount(pool, userUri({ domain: DOMAIN, user })))
    if (!disabled) throw new CliError(`There is no enabled account ${user}.`)
    print(`Account ${user} is disabled. A running server refuses its devices from now on.`)
  },
}
