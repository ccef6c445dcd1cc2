import { parseArgs } from 'node:util'
import { reportedCommits, type ReportedCommit } from '../../groups/reset/reports.repository.js'
import { CliError, print, type Command, withDatabase } from './command.js'

const MOST = 1_000

export const groupsReports: Command = {
  name: 'groups reports',
  usage: '[--limit 50]          Commits that members say they cannot process, the latest first.',
  async run(args) {
    const { values } = parseArgs({ args: [...args], options: { limit: { type: 'string', default: '50' } } })
    const limit = Number(values.limit)
    if (!Number.isInteger(limit) || limit < 1 || limit > MOST) throw new CliError(`--limit takes a number from 1 to ${MOST}.`)
    const reported = await withDatabase((pool) => reportedCommits(pool, limit))
    print(reported.length === 0 ? 'No Commit is reported.' : reported.map(describe).join('\n'))
  },
}

/** E.g. `2026-01-31T12:00:00Z  mimi://example.com/r/team  group dGVhbQ, seq 7, epoch 3: undecryptable 2, other 1. 3 of 5 users for a reset.` */
function describe(commit: ReportedCommit): string {
  const reasons = Object.entries(commit.reasons).map(([reason, users]) => `${reason} ${users}`)
  const when = commit.lastReportedAt.toISOString().replace(/\.\d+/, '')
  const epoch = commit.epoch === null ? '' : `, epoch ${commit.epoch}`
  const group = Buffer.from(commit.groupId).toString('base64url')
  return `${when}  ${commit.room}  group ${group}, seq ${commit.seq}${epoch}: ${reasons.sort().join(', ')}. ${outlook(commit)}`
}

function outlook({ frozen, users, needed }: ReportedCommit): string {
  if (frozen === 'reset') return 'The group has been reset.'
  if (frozen === 'reinit') return 'The group ended in a ReInit.'
  const enough = users >= needed ? ': any of them may reset it' : ''
  return `${users} of ${needed} users for a reset${enough}.`
}
