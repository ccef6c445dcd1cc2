import { clearBackOff, setPaused } from '../../../federation/peers/peers.repository.js'
import { resumeCursors } from '../../../federation/push/cursors.repository.js'
import { resumeDeletions } from '../../../federation/push/deletions.repository.js'
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
  'DOMAIN                  Try a provider again at once, its stopped groups and refused deletions too.',
  async (pool, domain) => {
    const { groups, deletions } = await transaction(pool, async (sql) => {
      await clearBackOff(sql, domain)
      return { groups: await resumeCursors(sql, domain), deletions: await resumeDeletions(sql, domain) }
    })
    const refused = deletions > 0 ? ` and ${deletions} refused ${deletions === 1 ? 'deletion' : 'deletions'}` : ''
    return `${domain} is tried again with the next sweep, ${groups} stopped ${groups === 1 ? 'group' : 'groups'}${refused} included.`
  },
)
