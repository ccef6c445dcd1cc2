import { isProviderDomain } from '../../protocol/identifiers.js'
import { CliError } from './command.js'

/** One domain, as written in identifiers. @param positionals what stands in a command beside its options */
export function peerDomain(positionals: readonly string[]): string {
  const [domain] = positionals
  if (domain === undefined) throw new CliError('Which provider? Give its domain, such as b.example.')
  if (positionals.length > 1) throw new CliError('One provider at a time.')
  if (!isProviderDomain(domain)) throw new CliError('A provider is called by its domain in lower case, such as b.example.')
  return domain
}
