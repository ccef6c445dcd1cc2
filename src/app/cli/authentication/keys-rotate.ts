import { parseArgs } from 'node:util'
import { replaceTokenKeyNow, rotateTokenKey } from '../../../authentication/keys/token-key-replacement.js'
import { Secrets } from '../../../platform/secrets/secrets.js'
import { print, type Command } from '../command.js'
import { withDatabase } from '../with-database.js'

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
