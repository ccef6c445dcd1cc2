import { randomBytes } from 'node:crypto'
import { sameBytes } from '../../mls/same-bytes.js'
import { PersistentArray, type PersistentArrayEdit } from '../persistent-array.js'

/** A group of 10,000 members has some five keys in each; chunks of empty buckets are shared by all groups. */
export const BUCKETS = 4096

/** A key and how often it occurs. */
interface Counted {
  readonly key: Uint8Array
  readonly count: number
}

type Buckets = readonly Counted[]

/** Keys of a tree, each as often as it occurs. Immutable: a changed copy shares what did not change. */
export class KeyBag {
  static readonly empty = new KeyBag(PersistentArray.of<Buckets>(Array.from<undefined>({ length: BUCKETS })))

  constructor(private readonly buckets: PersistentArray<Buckets>) {}

  count(key: Uint8Array): number {
    return countIn(this.buckets.at(bucketOf(key)), key)
  }

  edit(): KeyBagEdit {
    return new KeyBagEdit(this.buckets.edit())
  }
}

export class KeyBagEdit {
  constructor(private readonly buckets: PersistentArrayEdit<Buckets>) {}

  count(key: Uint8Array): number {
    return countIn(this.buckets.at(bucketOf(key)), key)
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
    const at = bucketOf(key)
    const bucket = this.buckets.at(at) ?? []
    const place = bucket.findIndex((one) => sameBytes(one.key, key))
    const count = (bucket[place]?.count ?? 0) + by
    const changed = count > 0 ? [{ key, count }] : []
    this.buckets.set(at, place < 0 ? [...bucket, ...changed] : bucket.toSpliced(place, 1, ...changed))
  }
}

function countIn(bucket: Buckets | undefined, key: Uint8Array): number {
  return bucket?.find((one) => sameBytes(one.key, key))?.count ?? 0
}

/** Known to nobody, so that nobody can make a group whose keys all meet in one bucket. */
const SEED = randomBytes(8)
const [SEED_0, SEED_1] = [SEED.readInt32LE(0), SEED.readInt32LE(4)]

/** HalfSipHash-1-3 (Aumasson, Bernstein), for which no way to make collisions without the seed is known. */
export function bucketOf(key: Uint8Array): number {
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
