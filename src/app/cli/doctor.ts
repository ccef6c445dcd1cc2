import { loadConfig } from '../../platform/config/config.js'
import { CliError, print, type Command } from './command.js'
import { examineDatabase } from './doctor-database.js'
import { examineRedis } from './doctor-redis.js'
import { examineSettings } from './doctor-settings.js'
import type { Finding } from './finding.js'

const MARKS = { ok: 'ok   ', warning: 'warn ', problem: 'FAIL ' } as const

export const doctor: Command = {
  name: 'doctor',
  usage: '                        Look at settings, PostgreSQL and Redis, and say what is wrong.',
  async run() {
    const config = loadConfig(process.env)
    const findings: Finding[] = [...examineSettings(config), ...(await examineDatabase(config)), ...(await examineRedis(config))]
    for (const { grade, text } of findings) print(`${MARKS[grade]} ${text}`)
    const problems = findings.filter(({ grade }) => grade === 'problem').length
    if (problems > 0) throw new CliError(`${problems} of these must be mended before the server can be trusted.`)
  },
}
