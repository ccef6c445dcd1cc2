import { BUCKETS, bucketOf } from './key-bag.js'
import { PersistentArray, type PersistentArrayEdit } from '../persistent-array.js'

type Buckets = PersistentArray<readonly number[]>

/**
 * Where to look for the leaf of a basic credential's identity: leaf indices by a hash of it. The identity itself stands in the
 * leaf, so that whoever asks compares. Immutable.
 */
export class IdentityIndex {
  static readonly empty = new IdentityIndex(PersistentArray.of<readonly number[]>(Array.from<undefined>({ length: BUCKETS })))

  constructor(private readonly buckets: Buckets) {}

  /** The leaves that may have it, in no order. */
  candidates(identity: Uint8Array): readonly number[] {
    return this.buckets.at(bucketOf(identity)) ?? []
  }

  edit(): IdentityIndexEdit {
    return new IdentityIndexEdit(this.buckets.edit())
  }
}

export class IdentityIndexEdit {
  /** Buckets of this edit's own, which it may write to: a tree may have one identity in thousands of leaves. */
  private readonly owned = new Map<number, number[]>()

  constructor(private readonly buckets: PersistentArrayEdit<readonly number[]>) {}

  add(identity: Uint8Array, leafIndex: number): void {
    this.ownBucket(identity).push(leafIndex)
  }

  remove(identity: Uint8Array, leafIndex: number): void {
    const bucket = this.ownBucket(identity)
    const place = bucket.indexOf(leafIndex)
    if (place >= 0) bucket.splice(place, 1)
  }

  /** The edit must not be used afterwards. */
  done(): IdentityIndex {
    return new IdentityIndex(this.buckets.done())
  }

  private ownBucket(identity: Uint8Array): number[] {
    const at = bucketOf(identity)
    const mine = this.owned.get(at) ?? [...(this.buckets.at(at) ?? [])]
    this.owned.set(at, mine)
    this.buckets.set(at, mine)
    return mine
  }
}
