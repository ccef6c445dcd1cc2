import { parseArgs } from 'node:util'
import { listAbuseReports, type AbuseReportRow, closeAbuseReport } from '../../federation/abuse/abuse-reports.repository.js'
import { CliError, print, type Command, withDatabase } from './command.js'

const MOST = 1_000

export const reportsList: Command = {
  name: 'reports list',
  usage: '[--closed] [--limit 50]  Complaints about members of rooms of this server, the oldest first.',
  async run(args) {
    const options = { closed: { type: 'boolean', default: false }, limit: { type: 'string', default: '50' } } as const
    const { values } = parseArgs({ args: [...args], options })
    const limit = Number(values.limit)
    if (!Number.isInteger(limit) || limit < 1 || limit > MOST) throw new CliError(`--limit takes a number from 1 to ${MOST}.`)
    const reports = await withDatabase((pool) => listAbuseReports(pool, { closed: values.closed, limit }))
    print(reports.length === 0 ? 'There are no such reports.' : reports.map(describe).join('\n'))
  },
}

/** E.g. `7  2026-01-31T12:00:00Z  mimi://a.example/r/team  mimi://b.example/u/bob, by mimi://c.example/u/carol: reason 0, 0 messages. "spam"` */
function describe({ id, reportedAt, roomId, allegedAbuser, reporter, provider, reason, note, messages }: AbuseReportRow): string {
  const when = reportedAt.toISOString().replace(/\.\d+/, '')
  const by = reporter === '' ? `somebody at ${provider}` : reporter
  return `${id}  ${when}  ${roomId}  ${allegedAbuser}, by ${by}: reason ${reason}, ${messages} messages. ${visible(note)}`
}

/** Strangers wrote it: nothing in it may move the cursor, end the line or turn the direction of the text. */
function visible(note: string): string {
  const escaped = (character: string) => `\\u{${character.codePointAt(0)?.toString(16) ?? ''}}`
  return JSON.stringify(note).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, escaped)
}

export const reportsClose: Command = {
  name: 'reports close',
  usage: 'NUMBER                  A complaint has been dealt with.',
  async run(args) {
    const { positionals } = parseArgs({ args: [...args], allowPositionals: true })
    const [number = ''] = positionals
    if (positionals.length !== 1 || !/^\d{1,15}$/.test(number))
      throw new CliError('Which report? Give the number that `reports list` shows.')
    const closed = await withDatabase((pool) => closeAbuseReport(pool, BigInt(number)))
    if (!closed) throw new CliError(`There is no open report ${number}.`)
    print(`Report ${number} is closed.`)
  },
}
