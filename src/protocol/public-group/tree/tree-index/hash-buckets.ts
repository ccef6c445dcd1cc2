import { randomBytes } from 'node:crypto'
import { PersistentArray, type PersistentArrayEdit } from '../persistent-array.js'

/** Of 10,000 keys each holds two or three. Those of a small group are nearly all empty, and shared by all groups. */
const BUCKETS = 4096

type Bucket<T> = readonly T[]

/** Items by the hash of a key, some with others' keys among them. Immutable: a changed copy shares what did not change. */
export class HashBuckets<T> {
  constructor(private readonly buckets: PersistentArray<Bucket<T>>) {}

  static empty<T>(): HashBuckets<T> {
    return new HashBuckets(PersistentArray.of<Bucket<T>>(Array.from<undefined>({ length: BUCKETS })))
  }

  at(key: Uint8Array): Bucket<T> {
    return this.buckets.at(bucketOf(key)) ?? []
  }

  edit(): HashBucketsEdit<T> {
    return new HashBucketsEdit(this.buckets.edit())
  }
}

/** A changeable copy, which copies a bucket when it first writes to it. */
export class HashBucketsEdit<T> {
  /** Copied once, however much an edit changes in them: a hostile tree may have the same key thousands of times. */
  private readonly owned = new Map<number, T[]>()

  constructor(private readonly buckets: PersistentArrayEdit<Bucket<T>>) {}

  at(key: Uint8Array): Bucket<T> {
    return this.buckets.at(bucketOf(key)) ?? []
  }

  /** The bucket to write to. */
  own(key: Uint8Array): T[] {
    const place = bucketOf(key)
    const mine = this.owned.get(place)
    if (mine !== undefined) return mine
    const copy = [...(this.buckets.at(place) ?? [])]
    this.owned.set(place, copy)
    this.buckets.set(place, copy)
    return copy
  }

  /** The edit must not be used afterwards. */
  done(): HashBuckets<T> {
    return new HashBuckets(this.buckets.done())
  }
}

/** Known to nobody, so that nobody can make a group whose keys all meet in one bucket. */
const SEED = randomBytes(8)
const [SEED_0, SEED_1] = [SEED.readInt32LE(0), SEED.readInt32LE(4)]

/** HalfSipHash-1-3 (Aumasson, Bernstein), for which no way to make collisions without the seed is known. */
function bucketOf(key: Uint8Array): number {
  const state: State = [SEED_0, SEED_1, 0x6c796765 ^ SEED_0, 0x74656462 ^ SEED_1]
  for (let at = 0; at < key.length; at += 4) absorb(state, wordAt(key, at))
  absorb(state, key.length)
  state[2] ^= 0xff
  for (let i = 0; i < 3; i++) round(state)
  return ((state[1] ^ state[3]) >>> 0) % BUCKETS
}

type State = [number, number, number, number]

function wordAt(key: Uint8Array, at: number): number {
  return (key[at] ?? 0) | ((key[at + 1] ?? 0) << 8) | ((key[at + 2] ?? 0) << 16) | ((key[at + 3] ?? 0) << 24)
}

function absorb(state: State, word: number): void {
  state[3] ^= word
  round(state)
  state[0] ^= word
}

function round(state: State): void {
  let [v0, v1, v2, v3] = state
  v0 = (v0 + v1) | 0
  v1 = rotate(v1, 5) ^ v0
  v0 = rotate(v0, 16)
  v2 = (v2 + v3) | 0
  v3 = rotate(v3, 8) ^ v2
  v0 = (v0 + v3) | 0
  v3 = rotate(v3, 7) ^ v0
  v2 = (v2 + v1) | 0
  v1 = rotate(v1, 13) ^ v2
  v2 = rotate(v2, 16)
  state[0] = v0
  state[1] = v1
  state[2] = v2
  state[3] = v3
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits))
}
