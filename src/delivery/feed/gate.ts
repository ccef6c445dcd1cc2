/** At most `width` pieces of work at once; the others wait their turn, first come first served. */
export class Gate {
  private readonly waiting: (() => void)[] = []
  private running = 0

  constructor(
    private readonly width: number,
    private readonly changed: (running: number) => void = () => undefined,
  ) {}

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.running >= this.width) await new Promise<void>((resolve) => this.waiting.push(resolve))
    else this.changed(++this.running)
    try {
      return await work()
    } finally {
      const next = this.waiting.shift()
      if (next)
        next() // it takes over this place
      else this.changed(--this.running)
    }
  }
}
