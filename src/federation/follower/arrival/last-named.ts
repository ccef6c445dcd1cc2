import type { Problem } from '../../../platform/http/problem.js'
import type { AcceptedPlace } from './arrivals.js'

/** Members of problems that hold entries of the log. */
const ENTRIES = ['entries', 'proposals'] as const

/** The last entry of the log that a hub's refusal brings, as `stale-epoch` does: who gets it reads the log next. */
export function lastNamed({ extension }: Pick<Problem, 'extension'>): AcceptedPlace | undefined {
  const named = ENTRIES.flatMap((member) => {
    const entries: unknown = extension[member]
    return Array.isArray(entries) ? entries.flatMap((entry: unknown) => placeIn(entry) ?? []) : []
  })
  return named.reduce<AcceptedPlace | undefined>((last, one) => (last && last.seq >= one.seq ? last : one), undefined)
}

function placeIn(entry: unknown): AcceptedPlace | undefined {
  if (typeof entry !== 'object' || entry === null || !('seq' in entry) || !('incarnation' in entry)) return undefined
  const { seq, incarnation } = entry
  const isPlace = (typeof seq === 'bigint' || Number.isSafeInteger(seq)) && typeof incarnation === 'number'
  return isPlace ? { seq: BigInt(seq as number | bigint), incarnation } : undefined
}
