import { sameBytes } from '../../../bytes.js'
import { HashBuckets, type HashBucketsEdit } from './hash-buckets.js'

/** A key and how often it occurs. */
interface Counted {
  readonly key: Uint8Array
  readonly count: number
}

/** Keys of a tree, each as often as it occurs. Immutable. */
export class KeyBag {
  static readonly empty = new KeyBag(HashBuckets.empty<Counted>())

  constructor(private readonly buckets: HashBuckets<Counted>) {}

  count(key: Uint8Array): number {
    return countIn(this.buckets.at(key), key)
  }

  edit(): KeyBagEdit {
    return new KeyBagEdit(this.buckets.edit())
  }
}

/** A changeable copy of a `KeyBag`. To remove a key that is not there changes nothing. */
export class KeyBagEdit {
  constructor(private readonly buckets: HashBucketsEdit<Counted>) {}

  count(key: Uint8Array): number {
    return countIn(this.buckets.at(key), key)
  }

  add(key: Uint8Array): void {
    this.change(key, 1)
  }

  remove(key: Uint8Array): void {
    this.change(key, -1)
  }

  /** The edit must not be used afterwards. */
  done(): KeyBag {
    return new KeyBag(this.buckets.done())
  }

  private change(key: Uint8Array, by: number): void {
    const bucket = this.buckets.own(key)
    const place = placeIn(bucket, key)
    const count = (bucket[place]?.count ?? 0) + by
    if (place >= 0 && count > 0) bucket[place] = { key, count }
    else if (place >= 0) bucket.splice(place, 1)
    else if (count > 0) bucket.push({ key, count })
  }
}

function countIn(bucket: readonly Counted[], key: Uint8Array): number {
  return bucket[placeIn(bucket, key)]?.count ?? 0
}

function placeIn(bucket: readonly Counted[], key: Uint8Array): number {
  return bucket.findIndex((one) => sameBytes(one.key, key))
}
