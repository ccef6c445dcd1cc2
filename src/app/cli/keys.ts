import { parseArgs } from 'node:util'
import { replaceAuthoritiesNow, rotateAuthority } from '../../authentication/x509/authority-rotation.js'
import { endOf } from '../../authentication/x509/authorities.js'
import { deleteAuthoritiesBut, readAuthorities } from '../../authentication/x509/authorities.repository.js'
import { readOperatorAuthority } from '../../authentication/x509/operator-authority.js'
import { replaceTokenKeyNow, rotateTokenKey } from '../../authentication/keys/token-key-rotation.js'
import { Secrets } from '../../platform/secrets.js'
import { retireIssuerKeys } from '../../tokens/keys/issuer-keys.repository.js'
import { rotateProviderKey, withdrawProviderKeys } from '../../federation/identity/provider-key-rotation.js'
import { CliError, print, type Command, withDatabase } from './command.js'

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
  usage: '[--now]         A new key towards other providers, with overlap; --now, after a theft: the others are withdrawn at once.',
  async run(args) {
    const { values } = parseArgs({ args: [...args], options: { now: { type: 'boolean', default: false } } })
    print(
      await withDatabase(async (pool, config) => {
        const secrets = new Secrets(config)
        if (values.now) {
          await withdrawProviderKeys(pool, secrets)
          return WITHDRAWN
        }
        const lead = config.FEDERATION_KEY_LEAD
        const overlap = Math.max(lead, SHORTEST_OVERLAP_MS)
        if (!(await rotateProviderKey(pool, secrets, lead, overlap))) return 'A rotation is under way already.'
        return `A new key is published, and signs ${lead === 0 ? 'from now on' : `in ${hours(lead)}`}; the old one stays published for ${hours(overlap)} after that.`
      }),
    )
  },
}

const WITHDRAWN = `A new key signs from now on (running servers know within 5 seconds), and no other is in the directory any more.
Peers drop the others with their next look: at once if they hear from this server, otherwise within an hour.
If the thief controls the web server of your domain as well, a peer may have believed the thief first: its operator is alarmed then, and trusts you again by \`peers trust\`.`

export const keysRotateX509: Command = {
  name: 'keys rotate-x509',
  usage: '[--now]             A new X.509 authority, beside the old one; --now ends all that the old one has issued.',
  async run(args) {
    const { values } = parseArgs({ args: [...args], options: { now: { type: 'boolean', default: false } } })
    print(
      await withDatabase(async (pool, config) => {
        if (config.X509_CREDENTIALS === 'off') throw new CliError('X509_CREDENTIALS is off.')
        const published = readOperatorAuthority(config)?.chain.at(-1)
        if (published !== undefined) {
          if (!values.now) throw new CliError('The authority is that of X509_CA_CERTIFICATE: put another one there, and restart.')
          await deleteAuthoritiesBut(pool, published)
          return 'Only the authority of X509_CA_CERTIFICATE counts from now on: within 15 seconds here, and within an hour at peers.'
        }
        const secrets = new Secrets(config)
        if (values.now) {
          await replaceAuthoritiesNow(pool, config.DOMAIN, secrets)
          return 'A new authority issues from now on. What was issued before is refused within 15 seconds here, and within an hour by peers.'
        }
        const outcome = await rotateAuthority(pool, config.DOMAIN, secrets)
        return outcome === 'rotated' ? 'A new authority is published, and issues in an hour.' : 'A rotation is under way already.'
      }),
    )
  },
}

export const keysShowX509: Command = {
  name: 'keys show-x509',
  usage: '                        The X.509 authorities, until when each is published, and when it ends.',
  async run() {
    const { stored, operator } = await withDatabase(async (pool, config) => {
      return { stored: await readAuthorities(pool), operator: readOperatorAuthority(config) }
    })
    if (operator) print(`That of X509_CA_CERTIFICATE issues, and ends ${endOf(operator.chain).toISOString()}.`)
    else if (stored.length === 0) print('There is none yet: the first certificate that is asked for makes it.')
    for (const { fingerprint, certificate, sealedPrivate, signs, issuedUntil } of stored) {
      const whose = sealedPrivate === null ? 'of the operator' : signs && !operator ? 'issues' : 'does not issue'
      const issued = `what it has issued is over ${issuedUntil?.toISOString() ?? 'already'}`
      print(`${fingerprint.toString('hex')}  ${whose}  ${issued}  it ends ${endOf([certificate]).toISOString()}`)
    }
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
