import type { Config } from '../../../platform/config/config.js'
import { setPolicy } from '../../../federation/peers/peers.repository.js'
import { peerCommand } from './peer-arguments.js'

type Policy = 'allow' | 'deny' | null

const SAID = new Map<Policy, string>([
  ['allow', 'allowed'],
  ['deny', 'denied'],
  [null, 'as strangers are'],
])

const command = (name: string, usage: string, policy: Policy) =>
  peerCommand(name, usage, async (pool, domain, { FEDERATION }) => {
    await setPolicy(pool, domain, policy)
    return `${domain} is ${SAID.get(policy) ?? ''} from now on; running servers know within 5 seconds.${caveat(FEDERATION, policy)}`
  })

/** What was said is kept, but counts under one of the settings only. */
function caveat(setting: Config['FEDERATION'], policy: Policy): string {
  const under = policy === 'allow' ? 'allow-list' : 'deny-list'
  if (policy === null || setting === under) return ''
  if (setting === 'allow-list' || setting === 'deny-list') return ''
  return `\nThis changes nothing while FEDERATION is ${setting}: it counts with ${under}.`
}

export const peersAllow = command('allow', 'DOMAIN                  Let a provider in, where FEDERATION is allow-list.', 'allow')
export const peersDeny = command('deny', 'DOMAIN                   Keep a provider out, where FEDERATION is deny-list.', 'deny')
export const peersReset = command('reset', 'DOMAIN                  Forget that a provider was allowed or denied.', null)
