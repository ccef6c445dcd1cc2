import { sameBytes } from '../mls/same-bytes.js'
import { PersistentArray, type PersistentArrayEdit } from './persistent-array.js'

/** A group of 10,000 members has some 20 keys in each. */
const BUCKETS = 1024

type Buckets = PersistentArray<readonly Uint8Array[]>

/** Keys of a tree, each as often as it occurs. Immutable: a changed copy shares what did not change. */
export class KeyBag {
  static readonly empty = new KeyBag(PersistentArray.of<readonly Uint8Array[]>(Array.from<undefined>({ length: BUCKETS })))

  constructor(private readonly buckets: Buckets) {}

  count(key: Uint8Array): number {
    return countIn(this.buckets, key)
  }

  edit(): KeyBagEdit {
    return new KeyBagEdit(this.buckets.edit())
  }
}

export class KeyBagEdit {
  constructor(private readonly buckets: PersistentArrayEdit<readonly Uint8Array[]>) {}

  count(key: Uint8Array): number {
    return countIn(this.buckets, key)
  }

  add(key: Uint8Array): void {
    const bucket = bucketOf(key)
    this.buckets.set(bucket, [...(this.buckets.at(bucket) ?? []), key])
  }

  remove(key: Uint8Array): void {
    const bucket = bucketOf(key)
    const keys = this.buckets.at(bucket) ?? []
    const at = keys.findIndex((one) => sameBytes(one, key))
    if (at >= 0) this.buckets.set(bucket, keys.toSpliced(at, 1))
  }

  /** The edit must not be used afterwards. */
  done(): KeyBag {
    return new KeyBag(this.buckets.done())
  }
}

function countIn(buckets: { at: (index: number) => readonly Uint8Array[] | undefined }, key: Uint8Array): number {
  return (buckets.at(bucketOf(key)) ?? []).filter((one) => sameBytes(one, key)).length
}

/** FNV-1a. Whoever makes keys that meet in one bucket makes it as long as the group has members, and no longer. */
function bucketOf(key: Uint8Array): number {
  let hash = 0x811c9dc5
  for (const byte of key) hash = Math.imul(hash ^ byte, 0x01000193)
  return (hash >>> 0) % BUCKETS
}
