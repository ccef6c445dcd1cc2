/** What the doctor saw, in a sentence that says what to do about it. */
export interface Finding {
  grade: 'ok' | 'warning' | 'problem'
  text: string
}

/** A finding, and which examination made it: for machines, which do not read sentences. */
export interface Diagnosis extends Finding {
  topic: string
}

export const ok = (text: string): Finding => ({ grade: 'ok', text })
export const warning = (text: string): Finding => ({ grade: 'warning', text })
export const problem = (text: string): Finding => ({ grade: 'problem', text })

/** The reason of a failed attempt without addresses or passwords. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  if ('code' in error && typeof error.code === 'string') return error.code
  // fetch hides why it failed one level down.
  return error.cause instanceof Error ? reasonOf(error.cause) : error.name
}

/** An examination that lacks a right or an answer must not end the others. */
export async function examine(topic: string, work: () => Finding[] | Promise<Finding[]>): Promise<Diagnosis[]> {
  const findings = await Promise.resolve()
    .then(work)
    .catch((error: unknown) => [warning(`The ${topic} could not be examined (${reasonOf(error)}).`)])
  return findings.map((finding) => ({ topic, ...finding }))
}
