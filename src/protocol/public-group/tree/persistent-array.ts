const CHUNK = 32

type Chunk<T> = readonly (T | undefined)[]

/**
 * An immutable array of optional items whose changed copies share all chunks of 32 items that did not change, so that the
 * states of two epochs cost little more than one.
 */
export class PersistentArray<T> {
  constructor(
    readonly length: number,
    private readonly chunks: readonly Chunk<T>[],
  ) {}

  static of<T>(items: Chunk<T>): PersistentArray<T> {
    const count = Math.ceil(items.length / CHUNK)
    return new PersistentArray(
      items.length,
      Array.from({ length: count }, (_, at) => items.slice(at * CHUNK, (at + 1) * CHUNK)),
    )
  }

  at(index: number): T | undefined {
    return this.chunks[Math.trunc(index / CHUNK)]?.[index % CHUNK]
  }

  toArray(): (T | undefined)[] {
    return Array.from({ length: this.length }, (_, index) => this.at(index))
  }

  edit(): PersistentArrayEdit<T> {
    return new PersistentArrayEdit(this.length, [...this.chunks])
  }
}

/** A changeable copy, which copies a chunk when it first writes to it. */
export class PersistentArrayEdit<T> {
  private readonly owned = new Map<number, (T | undefined)[]>()

  constructor(
    private length: number,
    private readonly chunks: Chunk<T>[],
  ) {}

  at(index: number): T | undefined {
    return this.chunks[Math.trunc(index / CHUNK)]?.[index % CHUNK]
  }

  set(index: number, item: T | undefined): void {
    this.ownChunk(Math.trunc(index / CHUNK))[index % CHUNK] = item
  }

  /** Cuts items off the end, or adds undefined ones. */
  resize(length: number): void {
    const count = Math.ceil(length / CHUNK)
    const kept = length - (count - 1) * CHUNK
    for (let chunk = this.chunks.length; chunk < count; chunk++) this.chunks.push([])
    for (let chunk = count; chunk < this.chunks.length; chunk++) this.owned.delete(chunk)
    this.chunks.length = count
    if (length < this.length && count > 0) this.ownChunk(count - 1).splice(kept)
    this.length = length
  }

  /** The edit must not be used afterwards. */
  done(): PersistentArray<T> {
    return new PersistentArray(this.length, this.chunks)
  }

  private ownChunk(chunk: number): (T | undefined)[] {
    const mine = this.owned.get(chunk) ?? this.chunks[chunk]?.slice() ?? []
    this.owned.set(chunk, mine)
    this.chunks[chunk] = mine
    return mine
  }
}
