import { parseArgs } from 'node:util'
import { replaceTokenKeyNow, rotateTokenKey } from '../../authentication/keys/token-key-rotation.js'
import { Secrets } from '../../platform/secrets.js'
import { retireIssuerKeys } from '../../tokens/keys/issuer-keys.repository.js'
import { rotateProviderKey } from '../../federation/identity/provider-key-rotation.js'
import { print, type Command, withDatabase } from './command.js'

export const keysRotate: Command = {
  name: 'keys rotate',
  usage: '[--now]                  A new key for access tokens, with overlap; --now ends all tokens of the old one.',
  async run(args) {
    const { values } = parseArgs({ args: [...args], options: { now: { type: 'boolean', default: false } } })
    print(
      await withDatabase(async (pool, config) => {
        const secrets = new Secrets(config)
        if (values.now) {
          await replaceTokenKeyNow(pool, secrets)
          return 'A new key signs from now on. Tokens of the old one are refused within 15 seconds; clients refresh by themselves.'
        }
        const rotated = await rotateTokenKey(pool, secrets, config.ACCESS_TOKEN_TTL)
        return rotated ? 'A new key is published, and signs in 10 minutes.' : 'A rotation is under way already.'
      }),
    )
  },
}

/** Peers go by a copy of the directory for an hour; without the old key in the next one they would have no reason to believe the new. */
const SHORTEST_OVERLAP_MS = 3_600_000

export const keysRotateProvider: Command = {
  name: 'keys rotate-provider',
  usage: '[--now]         A new key towards other providers, with overlap; --now: it signs at once.',
  async run(args) {
    const { values } = parseArgs({ args: [...args], options: { now: { type: 'boolean', default: false } } })
    print(
      await withDatabase(async (pool, config) => {
        const lead = values.now ? 0 : config.FEDERATION_KEY_LEAD
        const overlap = Math.max(config.FEDERATION_KEY_LEAD, SHORTEST_OVERLAP_MS)
        if (!(await rotateProviderKey(pool, new Secrets(config), lead, overlap))) return 'A rotation is under way already.'
        return `A new key is published, and signs ${lead === 0 ? 'from now on' : `in ${hours(lead)}`}; the old one stays published for ${hours(overlap)} after that.`
      }),
    )
  },
}

export const keysRetireSendTokens: Command = {
  name: 'keys retire-send-tokens',
  usage: '                 Ends all send tokens of this issuer, those of disabled accounts too; clients fetch new ones.',
  async run() {
    await withDatabase((pool) => retireIssuerKeys(pool))
    print('No send token issued so far is taken any more, after 5 seconds at most. The next request makes a new key; quotas begin again.')
  },
}

function hours(ms: number): string {
  return ms < 3_600_000 ? `${Math.ceil(ms / 60_000)} min` : `${Math.round((ms / 3_600_000) * 10) / 10} h`
}
