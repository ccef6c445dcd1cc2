import { parseArgs } from 'node:util'
import { NameTaken } from '../../authentication/authentication.problems.js'
import { createAccount } from '../../authentication/accounts/administration.js'
import { ErasedNames } from '../../authentication/accounts/erased-names.js'
import type { Config } from '../../platform/config/config.js'
import { Secrets } from '../../platform/secrets.js'
import { userUri, USER_NAME } from '../../protocol/identifiers.js'
import { parseDuration } from '../../platform/config/units.js'
import { disableAccount } from '../../authentication/accounts/accounts.repository.js'
import { findUser } from '../../groups/policy/policy.repository.js'
import { readAccountStorage, readLargestOf } from '../../groups/usage/usage.repository.js'
import { CliError, print, type Command, withDatabase } from './command.js'

export const accountsCreate: Command = {
  name: 'accounts create',
  usage: 'USER [--expires 7d]  Make an account; prints the code for its first device.',
  async run(args) {
    const { user, expires } = userArguments(args)
    const issued = await withDatabase((pool, config) =>
      createAccount(pool, namesOf(config), userUri({ domain: config.DOMAIN, user }), expires).catch(explainQuarantine),
    )
    if (issued === undefined) throw new CliError(`There is an account ${user} already.`)
    print(`Account ${user} is made. Its first device registers with the code (until ${issued.expiresAt.toISOString()}):\n${issued.code}`)
  },
}

/** The names of erased accounts are known by a key that follows from SERVER_SECRET. */
export function namesOf(config: Config): ErasedNames {
  return new ErasedNames(config, new Secrets(config))
}

function explainQuarantine(error: unknown): never {
  if (error instanceof NameTaken)
    throw new CliError('An account of this name was deleted, and its name is still in quarantine. `accounts release` ends that.')
  throw error
}

/** A life such as `7d`, in milliseconds. */
export function lifetime(text: string): number {
  const ms = parseDuration(text)
  if (ms === undefined || ms === 0) throw new CliError('--expires takes a duration such as 24h or 7d.')
  return ms
}

/** @returns the name as it was given. @throws CliError if there is none, or it is no user name (`USER_NAME`) */
export function userName(user: string | undefined): string {
  if (user === undefined) throw new CliError('Which user? Give the part after /u/, such as alice.')
  if (!USER_NAME.test(user))
    throw new CliError('A user is called by a-z, 0-9, ".", "_" and "-", up to 64, beginning with a letter or digit.')
  return user
}

/** `USER [--expires 7d]` */
export function userArguments(args: readonly string[]): { user: string; expires: number } {
  const { positionals, values } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { expires: { type: 'string', default: '7d' } },
  })
  if (positionals.length > 1) throw new CliError('One user at a time.')
  return { user: userName(positionals[0]), expires: lifetime(values.expires) }
}

/** `USER` and nothing else. */
export function oneUser(args: readonly string[]): string {
  const { positionals } = parseArgs({ args: [...args], allowPositionals: true })
  if (positionals.length > 1) throw new CliError('One user at a time.')
  return userName(positionals[0])
}

export const accountsUsage: Command = {
  name: 'accounts usage',
  usage: 'USER                  What the groups that an account has created keep.',
  async run(args) {
    const user = oneUser(args)
    const lines = await withDatabase(async (pool, config) => {
      const id = await findUser(pool, userUri({ domain: config.DOMAIN, user }))
      if (id === undefined) throw new CliError(`There is no account ${user}.`)
      const { bytes, groups } = await readAccountStorage(pool, id)
      const largest = await readLargestOf(pool, id, 10)
      return [
        `${groups} of ${config.ACCOUNT_MAX_GROUPS} groups, ${bytes} of ${config.ACCOUNT_MAX_BYTES} bytes. The largest, ${config.GROUP_MAX_BYTES} bytes each at most:`,
        ...largest.map(({ groupId, room, bytes: kept }) => `${kept} bytes  ${room}  group ${groupId.toString('base64url')}`),
      ]
    })
    print(lines.join('\n'))
  },
}

export const accountsDisable: Command = {
  name: 'accounts disable',
  usage: 'USER                Shut an account out: its devices are revoked for good.',
  async run(args) {
    const user = oneUser(args)
    const disabled = await withDatabase((pool, { DOMAIN }) => disableAccount(pool, userUri({ domain: DOMAIN, user })))
    if (!disabled) throw new CliError(`There is no enabled account ${user}.`)
    print(`Account ${user} is disabled. A running server refuses its devices from now on.`)
  },
}
