import { parseArgs } from 'node:util'
import { USER_NAME } from '../../../protocol/identifiers.js'
import { parseDuration } from '../../../platform/config/units.js'
import { CliError } from '../command.js'

/** A life such as `7d`, in milliseconds. */
export function lifetime(text: string): number {
  const ms = parseDuration(text)
  if (ms === undefined || ms === 0) throw new CliError('--expires takes a duration such as 24h or 7d.')
  return ms
}

export function userName(user: string | undefined): string {
  if (user === undefined) throw new CliError('Which user? Give the part after /u/, such as alice.')
  if (!USER_NAME.test(user))
    throw new CliError('A user is called by a-z, 0-9, ".", "_" and "-", up to 64, beginning with a letter or digit.')
  return user
}

/** `USER [--expires 7d]` */
export function userArguments(args: readonly string[]): { user: string; expires: number } {
  const { positionals, values } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { expires: { type: 'string', default: '7d' } },
  })
  if (positionals.length > 1) throw new CliError('One user at a time.')
  return { user: userName(positionals[0]), expires: lifetime(values.expires) }
}
