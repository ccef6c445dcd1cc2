import { LRUCache } from 'lru-cache'

/** So much per second on average, and at most `burst` at once. */
export interface Rate {
  readonly perSecond: number
  readonly burst: number
}

/**
 * A token bucket, kept as the one number of the generic cell rate algorithm: the time at which it will be full again.
 * It needs no timer and no I/O, so it can be asked for every request, frame and byte.
 */
export class Bucket {
  private fullAt = 0

  constructor(private readonly rate: Rate) {}

  /**
   * Takes `points` if that many are left.
   * @param now milliseconds of a clock that never goes back
   * @returns 0 if they were taken, else the milliseconds until they can be
   */
  take(points = 1, now = performance.now()): number {
    const wait = this.waitFor(points, now)
    if (wait === 0) this.spend(points, now)
    return wait
  }

  /** Takes `points` even if fewer are left: for costs that are only known afterwards. Later calls wait for them. */
  spend(points: number, now = performance.now()): void {
    this.fullAt = Math.max(this.fullAt, now) + (points * 1000) / this.rate.perSecond
  }

  /** @returns the milliseconds until `points` can be taken; 0 if they can be now */
  waitFor(points = 1, now = performance.now()): number {
    const full = Math.max(this.fullAt, now) + (points * 1000) / this.rate.perSecond
    const latest = now + (this.rate.burst * 1000) / this.rate.perSecond
    return full <= latest ? 0 : Math.ceil(full - latest)
  }
}

/** One bucket per key. Only the `maxKeys` keys used last are remembered, so that invented keys cost no memory. */
export class Buckets {
  private readonly byKey: LRUCache<string, Bucket>

  constructor(
    private readonly rate: Rate,
    maxKeys = 50_000,
  ) {
    this.byKey = new LRUCache({ max: maxKeys })
  }

  of(key: string): Bucket {
    const known = this.byKey.get(key)
    if (known) return known
    const bucket = new Bucket(this.rate)
    this.byKey.set(key, bucket)
    return bucket
  }

  /** @returns 0 if the points were taken, else the milliseconds until they can be */
  take(key: string, points = 1, now = performance.now()): number {
    return this.of(key).take(points, now)
  }
}
