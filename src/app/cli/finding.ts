/** What the doctor saw, in a sentence that says what to do about it. */
export interface Finding {
  grade: 'ok' | 'warning' | 'problem'
  text: string
}

export const ok = (text: string): Finding => ({ grade: 'ok', text })
export const warning = (text: string): Finding => ({ grade: 'warning', text })
export const problem = (text: string): Finding => ({ grade: 'problem', text })

/** The reason of a failed attempt without addresses or passwords. */
export function reasonOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
  return error instanceof Error ? error.name : 'unknown'
}
