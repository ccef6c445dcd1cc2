/** What all queues of this node may hold together. A frame that many sockets wait for counts once, as it is in memory once. */
export class NodeBudget {
  private readonly holders = new Map<Uint8Array, number>()
  private readonly waiting = new Set<() => void>()
  private held = 0

  constructor(
    private readonly limit: number,
    private readonly changed: (bytes: number) => void = () => undefined,
  ) {}

  get full(): boolean {
    return this.held >= this.limit
  }

  hold(frame: Uint8Array): void {
    const holders = this.holders.get(frame) ?? 0
    if (holders === 0) this.changed((this.held += frame.byteLength))
    this.holders.set(frame, holders + 1)
  }

  release(frame: Uint8Array): void {
    const holders = this.holders.get(frame) ?? 0
    if (holders > 1) return void this.holders.set(frame, holders - 1)
    if (this.holders.delete(frame)) this.changed((this.held -= frame.byteLength))
    // Somewhat below the limit, or all that wait would be woken for every frame.
    if (this.waiting.size > 0 && this.held < this.limit * 0.9) this.wake()
  }

  /** Called once, when there is room again. */
  whenRoom(listener: () => void): void {
    this.waiting.add(listener)
  }

  forget(listener: () => void): void {
    this.waiting.delete(listener)
  }

  private wake(): void {
    const listeners = [...this.waiting]
    this.waiting.clear()
    for (const listener of listeners) setImmediate(listener)
  }
}
