/** Pieces differ in what they cost, by what a caller puts into them: after so long a turn is over. */
export const TURN_MS = 2

/**
 * Work of many callers, a bounded number of pieces in each turn of the event loop: however much arrives at the same moment, between
 * two turns everything else of the process has its own. Callers are served one after the other, a piece of each.
 */
export class Turns {
  /** By caller, in the order of their turns. Only callers with work that waits are kept. */
  private readonly lines = new Map<string, (() => void)[]>()
  private left: number
  private spentMs = 0
  private working = false
  private due = false

  /** @param perTurn pieces of one turn of the event loop, of all callers together. @param now milliseconds */
  constructor(
    private readonly perTurn: number,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.left = perTurn
  }

  /** Does the work at once if this turn has room for it, otherwise in a later one. Work that comes out of work waits. */
  enter(caller: string, work: () => void): void {
    this.renewSoon()
    if (this.hasRoom && !this.working && this.lines.size === 0) return this.do(work)
    const line = this.lines.get(caller)
    if (line) line.push(work)
    else this.lines.set(caller, [work])
  }

  private get hasRoom(): boolean {
    return this.left > 0 && this.spentMs < TURN_MS
  }

  private do(work: () => void): void {
    const began = this.now()
    this.left -= 1
    this.working = true
    try {
      work()
    } finally {
      this.working = false
      this.spentMs += this.now() - began
    }
  }

  private renewSoon(): void {
    if (this.due) return
    this.due = true
    setImmediate(() => {
      this.due = false
      this.left = this.perTurn
      this.spentMs = 0
      this.serve()
    })
  }

  private serve(): void {
    // Before the work, which may throw.
    if (this.lines.size > 0) this.renewSoon()
    for (const [caller, line] of this.lines) {
      if (!this.hasRoom) return
      this.lines.delete(caller)
      const work = line.shift()
      // At the end of the map, where this loop comes by again.
      if (line.length > 0) this.lines.set(caller, line)
      if (work) this.do(work)
    }
  }
}
