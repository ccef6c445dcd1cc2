/**
 * Work of many callers, a bounded number of pieces in each turn of the event loop: whatever arrives at the same moment, between two
 * turns everything else of the process has its own. Callers are served one after the other, a piece of each.
 */
export class Turns {
  /** By caller, in the order of their turns. Only callers with work that waits are kept. */
  private readonly lines = new Map<string, (() => void)[]>()
  private left: number
  private due = false

  /** @param perTurn pieces of one turn of the event loop, of all callers together */
  constructor(private readonly perTurn: number) {
    this.left = perTurn
  }

  /** Does the work at once if this turn has room for it, otherwise in a later one. */
  enter(caller: string, work: () => void): void {
    this.renewSoon()
    if (this.left > 0 && this.lines.size === 0) {
      this.left -= 1
      return work()
    }
    const line = this.lines.get(caller)
    if (line) line.push(work)
    else this.lines.set(caller, [work])
  }

  private renewSoon(): void {
    if (this.due) return
    this.due = true
    setImmediate(() => {
      this.due = false
      this.left = this.perTurn
      this.serve()
    })
  }

  private serve(): void {
    // Before the work, which may throw.
    if (this.lines.size > 0) this.renewSoon()
    for (const [caller, line] of this.lines) {
      if (this.left === 0) return
      this.left -= 1
      this.lines.delete(caller)
      const work = line.shift()
      // At the end of the map, where this loop comes by again.
      if (line.length > 0) this.lines.set(caller, line)
      work?.()
    }
  }
}
