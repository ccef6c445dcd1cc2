import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import type { Pool } from 'pg'
import { enableByOperator } from '../../authentication/accounts/administration.js'
import { findAccount, listAccounts, listDevices, type ListedAccount } from '../../authentication/accounts/administration.repository.js'
import { deleteAccount, endQuarantine, findErasedName } from '../../authentication/accounts/deletion.repository.js'
import { countOfAccount, readAccount } from '../../accounts/me.repository.js'
import { readAccountStorage } from '../../groups/usage/usage.repository.js'
import { userUri } from '../../protocol/identifiers.js'
import { namesOf, oneUser } from './accounts.js'
import { CliError, print, type Command, withDatabase } from './command.js'

const MOST = 1_000
const MOST_COUNTED = 10_000

export const accountsList: Command = {
  name: 'accounts list',
  usage: '[--after USER] [--limit 100]  The accounts by name, with their state.',
  async run(args) {
    const { values } = parseArgs({
      args: [...args],
      options: { after: { type: 'string', default: '' }, limit: { type: 'string', default: '100' } },
    })
    const limit = numberUpTo(values.limit, MOST)
    const accounts = await withDatabase((pool, { DOMAIN }) => {
      const prefix = `mimi://${DOMAIN}/u/`
      return listAccounts(pool, { prefix, after: prefix + values.after, limit })
    })
    const more = accounts.length === limit ? [`There may be more: --after ${nameOf(accounts.at(-1))}`] : []
    print(accounts.length === 0 ? 'There are no such accounts.' : [...accounts.map(describe), ...more].join('\n'))
  },
}

/** @throws CliError unless it is a number from 1 to `most` */
export function numberUpTo(text: string, most: number): number {
  const limit = Number(text)
  if (!Number.isInteger(limit) || limit < 1 || limit > most) throw new CliError(`--limit takes a number from 1 to ${most}.`)
  return limit
}

const nameOf = (account: ListedAccount | undefined) => account?.user.split('/').at(-1) ?? ''

/** E.g. `alice  since 2026-01-31T12:00:00Z, 2 devices` */
function describe(account: ListedAccount): string {
  const devices = `${account.activeDevices} ${account.activeDevices === 1n ? 'device' : 'devices'}`
  return `${nameOf(account)}  since ${time(account.createdAt)}, ${devices}${stateOf(account)}`
}

function stateOf({ disabledAt, deletedAt }: ListedAccount): string {
  if (deletedAt) return `, deleted ${time(deletedAt)}: what is left goes when its devices are out of all groups`
  return disabledAt ? `, disabled ${time(disabledAt)}` : ''
}

export function time(date: Date): string {
  return date.toISOString().replace(/\.\d+/, '')
}

/** @throws CliError if there is none of this name */
export async function accountNamed(pool: Pool, domain: string, user: string): Promise<ListedAccount> {
  const account = await findAccount(pool, userUri({ domain, user }))
  if (account === undefined) throw new CliError(`There is no account ${user}.`)
  return account
}

export const accountsShow: Command = {
  name: 'accounts show',
  usage: 'USER                   One account: its state, its devices, and how much is kept for it.',
  async run(args) {
    const user = oneUser(args)
    const lines = await withDatabase(async (pool, { DOMAIN }) => {
      const account = await accountNamed(pool, DOMAIN, user)
      const settings = await readAccount(pool, account.id)
      const { groups, keyPackages, inbox, blocks, consents } = await countOfAccount(pool, account.id, account.user, MOST_COUNTED)
      const created = await readAccountStorage(pool, account.id)
      const devices = await listDevices(pool, account.id)
      return [
        describe(account),
        `  ${settings?.searchable ? 'can be found' : 'is not to be found'}; groups of strangers ${settings?.asked ? 'wait' : 'are delivered'}`,
        `  in ${groups} groups; has created ${created.groups}, which keep ${created.bytes} bytes`,
        `  ${keyPackages} KeyPackages, ${inbox} inbox items, ${blocks} blocks, ${consents} consents`,
        ...devices.map((device) => `  ${describeDevice(device)}`),
      ]
    })
    print(lines.join('\n'))
  },
}

/** E.g. `phone  since 2026-01-31T12:00:00Z, 1 session` */
export function describeDevice({ client, createdAt, revokedAt, sessions }: Awaited<ReturnType<typeof listDevices>>[number]): string {
  const end = revokedAt ? `revoked ${time(revokedAt)}` : `${sessions} ${sessions === 1n ? 'session' : 'sessions'}`
  return `${client.split('/').at(-1) ?? ''}  since ${time(createdAt)}, ${end}`
}

export const accountsEnable: Command = {
  name: 'accounts enable',
  usage: 'USER                 Take a disabling back. Its devices, sessions and rights in groups stay ended.',
  async run(args) {
    const user = oneUser(args)
    await withDatabase(async (pool, { DOMAIN }) => {
      const account = await accountNamed(pool, DOMAIN, user)
      if (account.deletedAt) throw new CliError(`Account ${user} was deleted, which cannot be taken back.`)
      if (!(await enableByOperator(pool, account.id))) throw new CliError(`Account ${user} is not disabled.`)
    })
    print(
      `Account ${user} is enabled. All its devices were revoked for good, with their keys and sessions, and it administers no group any more.\n` +
        `Its next device registers with a code: invites create --user ${user}`,
    )
  },
}

export const accountsDelete: Command = {
  name: 'accounts delete',
  usage: 'USER --yes           Delete an account for good; what is kept of it is erased, here and at other providers.',
  async run(args) {
    const { positionals, values } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { yes: { type: 'boolean', default: false } },
    })
    const user = oneUser(positionals)
    if (!values.yes) throw new CliError(`This cannot be taken back. If it is meant: accounts delete ${user} --yes`)
    const peers = await withDatabase(async (pool, { DOMAIN }) => {
      const { id } = await accountNamed(pool, DOMAIN, user)
      const deleted = await deleteAccount(pool, { domain: DOMAIN, accountId: id, erasureId: randomBytes(32) })
      if (deleted === undefined) throw new CliError(`Account ${user} was deleted before.`)
      return deleted.peers
    })
    const asked =
      peers.length === 0 ? 'No other provider knows the user.' : `These providers are asked to erase the user as well: ${peers.join(', ')}.`
    print(`Account ${user} is deleted. A running server refuses its devices from now on, and erases what is left. ${asked}`)
  },
}

export const accountsRelease: Command = {
  name: 'accounts release',
  usage: 'USER                Give the name of an erased account free before its quarantine is over.',
  async run(args) {
    const user = oneUser(args)
    await withDatabase(async (pool, config) => {
      const standIn = namesOf(config).standIn(userUri({ domain: config.DOMAIN, user }))
      const erased = await findErasedName(pool, standIn, config.NAME_QUARANTINE)
      if (erased === undefined) throw new CliError(`No account ${user} was erased, or its name is free already.`)
      await endQuarantine(pool, erased.accountId)
    })
    print(`The name ${user} can be registered. Who does inherits the bans of the name, and nothing else.`)
  },
}
