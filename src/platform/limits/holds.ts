/** How much each key holds at once (connections, requests in flight, bytes), each within the same cap. Only keys that hold something are kept. */
export class Holds {
  private readonly byKey = new Map<string, number>()
  private sum = 0

  constructor(private readonly cap: number) {}

  get total(): number {
    return this.sum
  }

  of(key: string): number {
    return this.byKey.get(key) ?? 0
  }

  /** @returns false, holding nothing more, if the key would hold more than the cap */
  take(key: string, amount = 1): boolean {
    if (this.of(key) + amount > this.cap) return false
    this.add(key, amount)
    return true
  }

  /** Holds more, also beyond the cap: for what exists already. */
  add(key: string, amount: number): void {
    this.byKey.set(key, this.of(key) + amount)
    this.sum += amount
  }

  /** Gives back what was taken. */
  release(key: string, amount = 1): void {
    const held = this.of(key) - amount
    this.sum -= amount
    if (held > 0) this.byKey.set(key, held)
    else this.byKey.delete(key)
  }
}
