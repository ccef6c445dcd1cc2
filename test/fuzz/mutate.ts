/** Numbers from a seed, the same for the same seed (mulberry32). */
export class Random {
  constructor(private state: number) {}

  /** A number from 0 to `below` - 1. */
  below(below: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below)
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T
  }
}

/** Bytes that are lengths of vectors, presence octets and types, or just past them. */
const TELLING = [0, 1, 2, 3, 4, 5, 10, 31, 32, 33, 63, 64, 127, 128, 191, 192, 255]
const MOST_CHANGES = 6
const LONGEST_PIECE = 200

/** The bytes with a few changes, of the kinds that come of hostility rather than of noise; `others` lend pieces. */
export function mutate(bytes: Uint8Array, random: Random, others: readonly Uint8Array[]): Uint8Array {
  let changed = bytes
  for (let left = 1 + random.below(MOST_CHANGES); left > 0; left--) changed = changeOnce(changed, random, others)
  return changed
}

function changeOnce(bytes: Uint8Array, random: Random, others: readonly Uint8Array[]): Uint8Array {
  const at = random.below(bytes.length + 1)
  const rest = (skipped: number) => bytes.subarray(Math.min(bytes.length, at + skipped))
  switch (random.below(7)) {
    case 0:
      return replaced(bytes, at, (byte) => byte ^ (1 << random.below(8)))
    case 1:
      return replaced(bytes, at, () => random.pick(TELLING))
    case 2:
      return replaced(bytes, at, (byte) => byte + 1 - 2 * random.below(2))
    case 3:
      return Buffer.concat([bytes.subarray(0, at), rest(1 + random.below(LONGEST_PIECE))])
    case 4:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at, at + 1 + random.below(LONGEST_PIECE)), rest(0)])
    case 5:
      return Buffer.concat([bytes.subarray(0, at), pieceOf(random.pick(others), random), rest(random.below(LONGEST_PIECE))])
    default:
      return Buffer.concat([bytes.subarray(0, at), Uint8Array.from({ length: 1 + random.below(8) }, () => random.below(256)), rest(0)])
  }
}

function replaced(bytes: Uint8Array, at: number, by: (byte: number) => number): Uint8Array {
  const copy = Uint8Array.from(bytes)
  if (at < copy.length) copy[at] = by(copy[at] ?? 0)
  return copy
}

function pieceOf(bytes: Uint8Array, random: Random): Uint8Array {
  const from = random.below(bytes.length)
  return bytes.subarray(from, from + 1 + random.below(LONGEST_PIECE))
}
