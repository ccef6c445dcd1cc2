import { findPeer, forgetKeys } from '../../../federation/peers/peers.repository.js'
import { transaction } from '../../../platform/postgres/sql.js'
import { CliError } from '../command.js'
import { peerCommand } from './peer-arguments.js'

export const peersTrust = peerCommand(
  'trust',
  'DOMAIN                  Forget the keys of a provider: believe the directory that it shows next.',
  async (pool, domain) => {
    const known = await transaction(pool, async (sql) => {
      if (!(await findPeer(sql, domain))) return false
      await forgetKeys(sql, domain)
      return true
    })
    if (!known) throw new CliError(`There is no provider ${domain} that is known here.`)
    return `The keys of ${domain} are forgotten. The directory that it shows next is believed; running servers ask within 30 seconds.`
  },
)
