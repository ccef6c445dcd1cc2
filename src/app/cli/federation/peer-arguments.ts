import { parseArgs } from 'node:util'
import type { Pool } from 'pg'
import type { Config } from '../../../platform/config/config.js'
import { isProviderDomain } from '../../../protocol/identifiers.js'
import { CliError, print, type Command } from '../command.js'
import { withDatabase } from '../with-database.js'

/** One domain, as it stands in identifiers. */
function domainIn(args: readonly string[]): string {
  const { positionals } = parseArgs({ args: [...args], allowPositionals: true })
  const [domain] = positionals
  if (domain === undefined) throw new CliError('Which provider? Give its domain, such as b.example.')
  if (positionals.length > 1) throw new CliError('One provider at a time.')
  if (!isProviderDomain(domain)) throw new CliError('A provider is called by its domain in lower case, such as b.example.')
  return domain
}

/** A command about one other provider: what it does, and what it says of that. */
export function peerCommand(name: string, usage: string, work: (pool: Pool, domain: string, config: Config) => Promise<string>): Command {
  return {
    name: `peers ${name}`,
    usage,
    async run(args) {
      const domain = domainIn(args)
      print(
        await withDatabase((pool, config) => {
          if (domain === config.DOMAIN) throw new CliError(`${domain} is this server itself.`)
          return work(pool, domain, config)
        }),
      )
    },
  }
}
