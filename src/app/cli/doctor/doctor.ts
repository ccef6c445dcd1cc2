import { parseArgs } from 'node:util'
import { loadConfig, type Config } from '../../../platform/config/config.js'
import { CliError, print, type Command } from '../command.js'
import { examinePostgres } from './database/examine-postgres.js'
import { examine, type Diagnosis } from './finding.js'
import { examineJobs } from './jobs.js'
import { examinePublicSide } from './public/public-side.js'
import { examineRedis } from './redis.js'
import { examineSettings } from './settings.js'
import { examineOperatorAuthority } from './x509.js'

const MARKS = { ok: 'ok   ', warning: 'warn ', problem: 'FAIL ' } as const

export const doctor: Command = {
  name: 'doctor',
  usage: '[--json]                Look at settings, PostgreSQL, Redis, jobs and PUBLIC_URL, and say what is wrong.',
  async run(args) {
    const { values } = parseArgs({ args: [...args], options: { json: { type: 'boolean', default: false } } })
    const findings = await examineDeployment(loadConfig(process.env))
    const count = (grade: Diagnosis['grade']) => findings.filter((finding) => finding.grade === grade).length
    const [problems, warnings] = [count('problem'), count('warning')]
    if (values.json) print(JSON.stringify({ ok: problems === 0, problems, warnings, findings }, null, 2))
    else for (const { grade, text } of findings) print(`${MARKS[grade]} ${text}`)
    if (problems > 0) throw new CliError(`${problems} of these must be fixed before the server can be trusted.`)
  },
}

async function examineDeployment(config: Config): Promise<Diagnosis[]> {
  const settings = await examine('settings', () => examineSettings(config))
  const authority = await examine('x509', () => examineOperatorAuthority(config))
  const postgres = await examinePostgres(config)
  const redis = await examine('redis', () => examineRedis(config))
  // Where the jobs are kept cannot be asked if it cannot be reached; that has been said by then.
  const reachable = [...postgres, ...redis].every(({ topic, grade }) => grade !== 'problem' || !['postgres', 'redis'].includes(topic))
  const jobs = reachable ? await examine('jobs', () => examineJobs(config)) : []
  return [...settings, ...authority, ...postgres, ...redis, ...jobs, ...(await examinePublicSide(config))]
}
