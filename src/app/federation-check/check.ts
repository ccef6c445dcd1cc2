/** What was looked at and what was seen, under a name of docs/federation-profile.md, Checks of a peer. */
export interface Check {
  readonly name: string
  readonly verdict: 'pass' | 'fail' | 'warning' | 'skipped'
  /** A sentence, with what to do about it. Nothing that a peer has written, but for names of problems. */
  readonly text: string
}

export const pass = (name: string, text: string): Check => ({ name, verdict: 'pass', text })
export const fail = (name: string, text: string): Check => ({ name, verdict: 'fail', text })
export const warn = (name: string, text: string): Check => ({ name, verdict: 'warning', text })
export const skip = (name: string, text: string): Check => ({ name, verdict: 'skipped', text })

const MARKS = { pass: 'pass', fail: 'FAIL', warning: 'warn', skipped: 'skip' } as const

/** One line each, or a document for machines; `ok` if nothing failed. */
export function reportOf(checks: readonly Check[], asJson: boolean): string {
  if (!asJson) return checks.map(({ name, verdict, text }) => `${MARKS[verdict]}  ${name}: ${text}`).join('\n')
  return JSON.stringify({ ok: failures(checks) === 0, checks }, null, 2)
}

export function failures(checks: readonly Check[]): number {
  return checks.filter(({ verdict }) => verdict === 'fail').length
}
