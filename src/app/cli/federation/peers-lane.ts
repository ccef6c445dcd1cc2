import { clearBackOff, setPaused } from '../../../federation/peers/peers.repository.js'
import { resumeCursors } from '../../../federation/push/cursors.repository.js'
import { transaction } from '../../../platform/postgres/sql.js'
import { peerCommand } from './peer-arguments.js'

export const peersPause = peerCommand(
  'pause',
  'DOMAIN                  Push nothing to a provider until it is resumed; it may still ask.',
  async (pool, domain) => {
    await setPaused(pool, domain, true)
    return `Nothing is pushed to ${domain} until \`peers resume\`. What its members miss is kept for them.`
  },
)

export const peersResume = peerCommand('resume', 'DOMAIN                 Push to a provider again.', async (pool, domain) => {
  await setPaused(pool, domain, false)
  return `Pushing to ${domain} goes on with the next sweep.`
})

export const peersRetry = peerCommand(
  'retry',
  'DOMAIN                  Try a provider again at once, its stopped groups too.',
  async (pool, domain) => {
    const resumed = await transaction(pool, async (sql) => {
      await clearBackOff(sql, domain)
      return resumeCursors(sql, domain)
    })
    return `${domain} is tried again with the next sweep, ${resumed} stopped ${resumed === 1 ? 'group' : 'groups'} included.`
  },
)
