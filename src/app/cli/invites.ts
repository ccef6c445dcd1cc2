import { parseArgs } from 'node:util'
import { createDeviceInvite, createInvite } from '../../authentication/accounts/administration.js'
import { userUri } from '../../protocol/identifiers.js'
import { CliError, print, type Command, withDatabase } from './command.js'
import { lifetime, userName } from './accounts.js'

const MAX_USES = 10_000

export const invitesCreate: Command = {
  name: 'invites create',
  usage: '[--uses 1] [--expires 7d] [--user USER]  A code for new accounts, or for one more device of USER.',
  async run(args) {
    const { values } = parseArgs({
      args: [...args],
      options: { uses: { type: 'string', default: '1' }, expires: { type: 'string', default: '7d' }, user: { type: 'string' } },
    })
    const expires = lifetime(values.expires)
    const user = values.user === undefined ? undefined : userName(values.user)
    const uses = numberOfUses(values.uses)
    const issued = await withDatabase((pool, { DOMAIN }) =>
      user === undefined ? createInvite(pool, uses, expires) : createDeviceInvite(pool, userUri({ domain: DOMAIN, user }), expires),
    )
    if (issued === undefined) throw new CliError(`There is no enabled account ${user}.`)
    print(`Good until ${issued.expiresAt.toISOString()}:\n${issued.code}`)
  },
}

function numberOfUses(text: string): number {
  const uses = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (uses < 1 || uses > MAX_USES) throw new CliError(`--uses takes a number from 1 to ${MAX_USES}.`)
  return uses
}
