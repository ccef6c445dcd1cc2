/** What a limit is counted for. */
export type LimitHolder = 'process' | 'connection' | 'address' | 'account' | 'device' | 'stream' | 'peer' | 'group'

/** One row of `docs/limits.md`. The code that enforces a limit reads `value` or the setting from here, so that the page stays true. */
export interface DescribedLimit {
  /** Unique, kebab-case. The label of `limits_refused_total{limit="…"}`. */
  readonly name: string
  readonly holder: LimitHolder
  /** What is bounded, with its unit: `requests in flight`, `bytes of request bodies held`, `frames per second`. */
  readonly what: string
  /** The number in force where no setting changes it; in the unit of `what`. */
  readonly value?: number
  /** The setting that changes it. Its default is in `docs/configuration.md`. Without one, `LIMITS` changes `value`. */
  readonly setting?: string
  /** `value` cannot be changed. */
  readonly fixed?: true
  /** What a caller beyond the limit gets: `429 with Retry-After`, `the stream is closed with 1008`. */
  readonly refusal: string
}

/** Numbers of `LIMITS` that replace `value`, by the name of the row. */
const changed = new Map<string, number>()

/** Gives rows other numbers. Called once for a process, before what is limited is made. */
export function changeLimits(numbers: ReadonlyMap<string, number>): void {
  changed.clear()
  for (const [name, number] of numbers) changed.set(name, number)
}

/** The number in force of a row without a setting of its own. */
export function numberOf({ name, value }: { readonly name: string; readonly value: number }): number {
  return changed.get(name) ?? value
}
