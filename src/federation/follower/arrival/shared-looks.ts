/**
 * One look at a thing at a time, for all who want one. Who asks while one is under way shares the next: that one may have begun before what they have
 * heard of.
 */
export class SharedLooks<Seen> {
  private readonly underWay = new Map<string, { now: Promise<Seen>; next: Promise<Seen> | undefined }>()

  get(key: string, look: () => Promise<Seen>): Promise<Seen> {
    const found = this.underWay.get(key)
    if (found === undefined) return this.begin(key, look)
    found.next ??= found.now.then(
      () => this.begin(key, look),
      () => this.begin(key, look),
    )
    return found.next
  }

  private begin(key: string, look: () => Promise<Seen>): Promise<Seen> {
    const own = { now: look(), next: undefined }
    this.underWay.set(key, own)
    const ended = () => {
      if (this.underWay.get(key) === own && own.next === undefined) this.underWay.delete(key)
    }
    own.now.then(ended, ended)
    return own.now
  }
}
