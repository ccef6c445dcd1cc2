import { LRUCache } from 'lru-cache'

/** How long a provider that did not answer is not asked again. */
const RETRY_MS = 30_000
const MAX_REMEMBERED = 1_000

interface Copy<T> {
  readonly until: number
  readonly value: Promise<T>
}

/** Answers of other providers, fetched once for all local users, so that no single user's request shows. Failures are kept for RETRY_MS. */
export class SharedCopies<T> {
  private readonly copies = new LRUCache<string, Copy<T>>({ max: MAX_REMEMBERED })

  constructor(
    private readonly maxAgeMs: number,
    private readonly fetch: (provider: string) => Promise<T>,
  ) {}

  of(provider: string): Promise<T> {
    const now = performance.now()
    const known = this.copies.get(provider)
    if (known && now < known.until) return known.value
    const value = this.fetch(provider)
    this.copies.set(provider, { until: now + this.maxAgeMs, value })
    value.catch(() => this.copies.set(provider, { until: performance.now() + RETRY_MS, value }))
    return value
  }

  forget(provider: string): void {
    this.copies.delete(provider)
  }
}
