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
    const held = this.of(key) + amount
    if (held > this.cap) return false
    this.byKey.set(key, held)
    this.sum += amount
    return true
  }

  /** Gives back what was taken. */
  release(key: string, amount = 1): void {
    const held = this.of(key) - amount
    this.sum -= amount
    if (held > 0) this.byKey.set(key, held)
    else this.byKey.delete(key)
  }
}
