import { createAccount } from '../../../authentication/accounts/administration.js'
import { userUri } from '../../../protocol/identifiers.js'
import { CliError, print, type Command } from '../command.js'
import { userArguments } from './user-arguments.js'
import { withDatabase } from '../with-database.js'

export const accountsCreate: Command = {
  name: 'accounts create',
  usage: 'USER [--expires 7d]  Make an account; prints the code for its first device.',
  async run(args) {
    const { user, expires } = userArguments(args)
    const issued = await withDatabase((pool, { DOMAIN }) => createAccount(pool, userUri({ domain: DOMAIN, user }), expires))
    if (issued === undefined) throw new CliError(`There is an account ${user} already.`)
    print(`Account ${user} is made. Its first device registers with the code (until ${issued.expiresAt.toISOString()}):\n${issued.code}`)
  },
}
