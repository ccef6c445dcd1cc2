/** A value that is made at most once per `maxAgeMs`, and once for all who ask at the same time. A failure is not kept. */
export class SharedValue<T> {
  private made: { readonly at: number; readonly value: Promise<T> } | undefined

  /** @param now milliseconds of a clock that never goes back */
  constructor(
    private readonly maxAgeMs: number,
    private readonly make: () => Promise<T>,
    private readonly now: () => number = () => performance.now(),
  ) {}

  get(): Promise<T> {
    const { made } = this
    if (made && this.now() - made.at < this.maxAgeMs) return made.value
    const next = { at: this.now(), value: this.make() }
    this.made = next
    next.value.catch(() => {
      if (this.made === next) this.made = undefined
    })
    return next.value
  }

  /** Later callers get a new one. */
  forget(): void {
    this.made = undefined
  }
}
