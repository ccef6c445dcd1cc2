import type { Hints } from '../../../platform/hints/hints.js'
import { numberOf, type DescribedLimit } from '../../../platform/limits/described-limit.js'

/** Answers that wait in one process. */
export const ARRIVAL_LIMITS = {
  all: {
    name: 'arrivals-awaited',
    holder: 'process',
    what: 'answers of hubs that are held back until the entry has come from there too, for some seconds at most',
    value: 1_000,
    refusal: 'none: the answer is passed on at once, with `readable_seq`',
  },
  ofHub: {
    name: 'arrivals-awaited-of-one-hub',
    holder: 'process',
    what: 'the same, of one hub',
    value: 250,
    refusal: 'none: the answer is passed on at once, with `readable_seq`',
  },
} as const satisfies Record<string, DescribedLimit>

/** One that waits. What wakes it while it looks is not lost: it ends the next `sleep` at once. */
export class Wait {
  /** Row of the group, once there is one. */
  gid: bigint | undefined
  private woken = false
  private resume: (() => void) | undefined

  constructor(readonly hub: string) {}

  wake(): void {
    this.woken = true
    this.resume?.()
  }

  /** Forgets what has woken it. Call it right before looking. */
  clear(): void {
    this.woken = false
  }

  async sleep(ms: number): Promise<void> {
    if (this.woken) return
    const timer = setTimeout(() => this.resume?.(), ms)
    await new Promise<void>((resolve) => (this.resume = resolve))
    this.resume = undefined
    clearTimeout(timer)
  }
}

/** All that wait in this process, which are limited, in all and for each hub: one that sends nothing takes no place of another's. */
export class Waits {
  private readonly all = new Set<Wait>()
  private readonly ofHub = new Map<string, number>()
  private readonly most = numberOf(ARRIVAL_LIMITS.all)
  private readonly mostOfHub = numberOf(ARRIVAL_LIMITS.ofHub)
  private closed = false

  get size(): number {
    return this.all.size
  }

  /** @returns what ends it */
  listenTo(hints: Hints): () => void {
    return hints.subscribe((hint) => {
      if (hint.kind === 'group' && this.all.size > 0) this.heard(hint.gid)
    })
  }

  /** @returns undefined if too many wait, or all are to end */
  begin(hub: string): Wait | undefined {
    const ofHub = this.ofHub.get(hub) ?? 0
    if (this.closed || this.all.size >= this.most || ofHub >= this.mostOfHub) return undefined
    const wait = new Wait(hub)
    this.all.add(wait)
    this.ofHub.set(hub, ofHub + 1)
    return wait
  }

  end(wait: Wait): void {
    if (!this.all.delete(wait)) return
    const left = (this.ofHub.get(wait.hub) ?? 1) - 1
    if (left > 0) this.ofHub.set(wait.hub, left)
    else this.ofHub.delete(wait.hub)
  }

  /** Something came for a group. Who waits for the first of a group does not know its row yet, and looks now and then. */
  heard(gid: bigint): void {
    for (const wait of this.all) if (wait.gid === gid) wait.wake()
  }

  /** All look once more, and then answer. */
  close(): void {
    this.closed = true
    for (const wait of this.all) wait.wake()
  }

  get isClosed(): boolean {
    return this.closed
  }
}
