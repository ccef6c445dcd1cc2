import { parseArgs } from 'node:util'
import { createDeviceInvite, createInvite } from '../../authentication/accounts/administration.js'
import { userUri } from '../../protocol/identifiers.js'
import { CliError, print, type Command, withDatabase } from './command.js'
import { listInvites, revokeInvites } from '../../authentication/accounts/administration.repository.js'
import { numberUpTo, time } from './account-life.js'
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

const MOST_LISTED = 10_000

export const invitesList: Command = {
  name: 'invites list',
  usage: '[--limit 100]           Codes that are still good, by a part of their hash: the codes themselves are not kept.',
  async run(args) {
    const { values } = parseArgs({ args: [...args], options: { limit: { type: 'string', default: '100' } } })
    const limit = numberUpTo(values.limit, MOST_LISTED)
    const invites = await withDatabase((pool) => listInvites(pool, limit))
    const lines = invites.map(({ id, user, usesLeft, expiresAt }) => {
      const whom =
        user === null ? `${usesLeft} new ${usesLeft === 1 ? 'account' : 'accounts'}` : `a device of ${user.split('/').at(-1) ?? ''}`
      return `${id}  for ${whom}, until ${time(expiresAt)}`
    })
    print(lines.length === 0 ? 'No code is good now.' : lines.join('\n'))
  },
}

export const invitesRevoke: Command = {
  name: 'invites revoke',
  usage: 'ID                    A code is not good any more; `invites list` shows its ID.',
  async run(args) {
    const { positionals } = parseArgs({ args: [...args], allowPositionals: true })
    const [id = ''] = positionals
    if (positionals.length !== 1 || !/^[0-9a-f]{16}$/.test(id)) throw new CliError('Which code? Give the ID that `invites list` shows.')
    const revoked = await withDatabase((pool) => revokeInvites(pool, id))
    if (revoked === 0) throw new CliError(`There is no code ${id}.`)
    print(`The code ${id} is not good any more.`)
  },
}
