/** Bytes that are handed on to be parsed at one go: frames of usual size whole, of the smallest ones about 700. */
export const SLICE_BYTES = 4 * 1024
/** Slices of one turn of the event loop, of all streams of the node together. */
export const SLICES_PER_TURN = 8

interface Reader {
  readSlice(): void
}

/**
 * Streams read in turns, a slice each. However many of them send however much, between two of their turns everything else of the
 * node has had its own.
 */
export class ReadTurns {
  private readonly waiting: Reader[] = []
  private due = false

  /** The reader is called once, when its turn comes. */
  enter(reader: Reader): void {
    this.waiting.push(reader)
    this.schedule()
  }

  private schedule(): void {
    if (this.due || this.waiting.length === 0) return
    this.due = true
    setImmediate(() => {
      this.due = false
      for (const reader of this.waiting.splice(0, SLICES_PER_TURN)) reader.readSlice()
      this.schedule()
    })
  }
}
