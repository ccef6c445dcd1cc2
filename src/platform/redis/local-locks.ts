/** Mutexes by key within one process, first come first served, with an end to the patience. */
export class LocalLocks {
  private readonly queues = new Map<string, (() => void)[]>()

  /**
   * @param impatience when it resolves first, the caller leaves the queue
   * @returns the release, or undefined if the patience ended
   */
  async acquire(key: string, impatience: Promise<void>): Promise<(() => void) | undefined> {
    const queue = this.queues.get(key)
    if (!queue) {
      this.queues.set(key, [])
      return this.releaser(key)
    }
    const turn = Promise.withResolvers<boolean>()
    const enter = () => turn.resolve(true)
    queue.push(enter)
    void impatience.then(() => {
      const at = queue.indexOf(enter)
      if (at === -1) return
      queue.splice(at, 1)
      turn.resolve(false)
    })
    return (await turn.promise) ? this.releaser(key) : undefined
  }

  private releaser(key: string): () => void {
    let released = false
    return () => {
      if (released) return
      released = true
      const next = this.queues.get(key)?.shift()
      if (next) next()
      else this.queues.delete(key)
    }
  }
}
