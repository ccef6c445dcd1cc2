import { parseArgs } from 'node:util'
import { revokeByOperator } from '../../authentication/accounts/administration.js'
import { listDevices } from '../../authentication/accounts/administration.repository.js'
import { findDevice } from '../../authentication/devices/devices.repository.js'
import { clientUri, DEVICE_NAME } from '../../protocol/identifiers.js'
import { accountNamed, describeDevice } from './account-life.js'
import { oneUser, userName } from './accounts.js'
import { CliError, print, type Command, withDatabase } from './command.js'

export const devicesList: Command = {
  name: 'devices list',
  usage: 'USER                    The devices of an account, revoked ones included.',
  async run(args) {
    const user = oneUser(args)
    const devices = await withDatabase(async (pool, { DOMAIN }) => listDevices(pool, (await accountNamed(pool, DOMAIN, user)).id))
    print(devices.length === 0 ? `Account ${user} has no device.` : devices.map(describeDevice).join('\n'))
  },
}

export const devicesRevoke: Command = {
  name: 'devices revoke',
  usage: 'USER DEVICE           Revoke a device of an account for good, such as a stolen one.',
  async run(args) {
    const { positionals } = parseArgs({ args: [...args], allowPositionals: true })
    const user = userName(positionals[0])
    const device = positionals[1] ?? ''
    if (positionals.length !== 2 || !DEVICE_NAME.test(device))
      throw new CliError('Which device? Give the user and the last part of the client URI, such as: alice phone')
    const revoked = await withDatabase(async (pool, { DOMAIN }) => {
      const account = await accountNamed(pool, DOMAIN, user)
      const found = await findDevice(pool, account.id, clientUri({ domain: DOMAIN, user, device }))
      if (found === undefined) throw new CliError(`Account ${user} has no device ${device}.`)
      return revokeByOperator(pool, account.id, found.id)
    })
    if (revoked === 0) throw new CliError(`Device ${device} was revoked before.`)
    print(`Device ${device} of ${user} is revoked. A running server refuses it from now on, and proposes its removal from groups.`)
  },
}
