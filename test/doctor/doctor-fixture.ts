import { randomBytes } from 'node:crypto'
import { expect } from '@jest/globals'
import type { Diagnosis } from '../../src/app/cli/doctor/finding.js'
import { cli } from '../support/cli.js'

export interface Verdict {
  code: number
  findings: Diagnosis[]
  /** The texts of one topic, each behind its grade. */
  of: (topic: string) => string[]
}

const SECRET = randomBytes(32).toString('base64')

/** A deployment that gives no cause for complaint by its settings. */
export function soundSettings(databaseUrl: string, overrides: Record<string, string> = {}): Record<string, string> {
  return { DATABASE_URL: databaseUrl, SERVER_SECRET: SECRET, DOMAIN: 'chat.example', REGISTRATION: 'invite', ...overrides }
}

/** What `doctor --json` says. */
export async function examined(environment: Record<string, string>): Promise<Verdict> {
  const { code, out, err } = await cli('doctor --json', environment)
  const report = JSON.parse(out) as { ok: boolean; problems: number; warnings: number; findings: Diagnosis[] }
  const { findings } = report
  const count = (grade: string) => findings.filter((finding) => finding.grade === grade).length
  expect(report).toMatchObject({ ok: code === 0, problems: count('problem'), warnings: count('warning') })
  expect(err).toBe(code === 0 ? '' : `${count('problem')} of these must be fixed before the server can be trusted.\n`)
  return { code, findings, of: (topic) => findings.filter((one) => one.topic === topic).map(({ grade, text }) => `${grade}: ${text}`) }
}
