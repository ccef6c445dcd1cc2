/** Why work was not taken on. `holder`: too much of this one waits already; `all`: too much waits altogether. */
export class QueueFull extends Error {
  constructor(readonly of: 'holder' | 'all') {
    super(`Too much waits already (${of})`)
  }
}

export interface FairQueueLimits {
  /** Pieces of work at the same time. */
  readonly atOnce: number
  /** That wait, of one holder. */
  readonly perHolder: number
  /** That wait, of all together. */
  readonly waiting: number
}

interface Piece {
  begin(): Promise<void>
  refuse(reason: QueueFull): void
}

/**
 * Work in turns: each holder has one piece in work at most, and those that wait are served one after the other, a piece of each. So a
 * holder who brings a hundred pieces makes another one wait for the piece in work, not for a hundred.
 */
export class FairQueue {
  /** By holder, in the order of their turns. A holder at work has no turn, and comes last when its piece is done. */
  private readonly lines = new Map<string, Piece[]>()
  private readonly working = new Set<string>()
  private waitingNow = 0

  constructor(private readonly limits: FairQueueLimits) {}

  /** Pieces that have not begun. */
  get waiting(): number {
    return this.waitingNow
  }

  /** @returns what the work returns. @throws QueueFull, or what the work throws */
  async run<T>(holder: string, work: () => Promise<T>): Promise<T> {
    const line = this.lines.get(holder) ?? []
    if (line.length >= this.limits.perHolder) throw new QueueFull('holder')
    if (this.waitingNow >= this.limits.waiting) this.makeRoom(line.length + 1)
    return new Promise<T>((resolve, reject) => {
      // Also work that throws before it returns a promise has had its turn.
      line.push({ begin: () => Promise.resolve().then(work).then(resolve, reject), refuse: reject })
      this.lines.set(holder, line)
      this.waitingNow++
      this.begin()
    })
  }

  /** @param length of the line that asks for it. @throws QueueFull if no line is longer */
  private makeRoom(length: number): void {
    const longest = [...this.lines.values()].reduce<Piece[]>((found, line) => (line.length > found.length ? line : found), [])
    if (longest.length <= length) throw new QueueFull('all')
    longest.pop()?.refuse(new QueueFull('all'))
    this.waitingNow--
  }

  private toTheEnd(holder: string): void {
    const line = this.lines.get(holder)
    if (!line) return
    this.lines.delete(holder)
    this.lines.set(holder, line)
  }

  private begin(): void {
    for (const [holder, line] of this.lines) {
      if (this.working.size >= this.limits.atOnce) return
      if (this.working.has(holder)) continue
      const next = line.shift()
      if (line.length === 0) this.lines.delete(holder)
      if (!next) continue
      this.waitingNow--
      this.working.add(holder)
      void next.begin().finally(() => {
        this.working.delete(holder)
        this.toTheEnd(holder)
        this.begin()
      })
    }
  }
}
