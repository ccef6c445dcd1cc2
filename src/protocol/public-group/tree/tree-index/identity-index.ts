import { HashBuckets, type HashBucketsEdit } from './hash-buckets.js'

/**
 * Where to look for the leaf of the identity that its credential names. The identity itself is in the leaf, so that the one who asks
 * compares. Immutable.
 */
export class IdentityIndex {
  static readonly empty = new IdentityIndex(HashBuckets.empty<number>())

  constructor(private readonly buckets: HashBuckets<number>) {}

  /** The leaves that may have it, in no order. */
  candidates(identity: Uint8Array): readonly number[] {
    return this.buckets.at(identity)
  }

  edit(): IdentityIndexEdit {
    return new IdentityIndexEdit(this.buckets.edit())
  }
}

/** A changeable copy of an `IdentityIndex`. */
export class IdentityIndexEdit {
  constructor(private readonly buckets: HashBucketsEdit<number>) {}

  add(identity: Uint8Array, leafIndex: number): void {
    this.buckets.own(identity).push(leafIndex)
  }

  remove(identity: Uint8Array, leafIndex: number): void {
    const bucket = this.buckets.own(identity)
    const place = bucket.indexOf(leafIndex)
    if (place >= 0) bucket.splice(place, 1)
  }

  /** The edit must not be used afterwards. */
  done(): IdentityIndex {
    return new IdentityIndex(this.buckets.done())
  }
}
