/** What does not decode: too short, too long, or not the one spelling that the format allows. */
export class NotDecodable extends Error {}

/** Reads the TLS presentation language with the vectors of RFC 9420 §2.1.2, strictly. Each method throws `NotDecodable`. */
export class Reader {
  at = 0
  constructor(
    private readonly bytes: Uint8Array,
    private readonly end = bytes.length,
  ) {}

  get done(): boolean {
    return this.at === this.end
  }

  number(size: 1 | 2 | 4): number {
    return Number(this.#integer(size))
  }

  uint64(): bigint {
    return this.#integer(8)
  }

  opaque(): Uint8Array {
    const length = this.#length()
    return this.#take(length)
  }

  text(): string {
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.opaque())
    } catch {
      throw new NotDecodable('Not UTF-8')
    }
  }

  list<T>(most: number, read: (reader: Reader) => T): T[] {
    const length = this.#length()
    const inside = new Reader(this.bytes, this.at + length)
    inside.at = this.at
    this.#take(length)
    const items: T[] = []
    while (!inside.done) {
      if (items.push(read(inside)) > most) throw new NotDecodable(`More than ${most} items`)
    }
    return items
  }

  since(start: number): Uint8Array {
    return this.bytes.slice(start, this.at)
  }

  #length(): number {
    const first = this.number(1)
    const more = (1 << (first >> 6)) - 1
    if (more > 3) throw new NotDecodable('No such length')
    let length = first & 0x3f
    for (let index = 0; index < more; index++) length = length * 256 + this.number(1)
    if (length < (more === 0 ? 0 : more === 1 ? 0x40 : 0x4000)) throw new NotDecodable('Not the shortest length')
    return length
  }

  #integer(size: number): bigint {
    return this.#take(size).reduce((value, byte) => value * 256n + BigInt(byte), 0n)
  }

  #take(length: number): Uint8Array {
    if (this.at + length > this.end) throw new NotDecodable('Too short')
    this.at += length
    return this.bytes.slice(this.at - length, this.at)
  }
}

/** All of the bytes as one T. @throws NotDecodable */
export function decodeAll<T>(bytes: Uint8Array, read: (reader: Reader) => T): T {
  const reader = new Reader(bytes)
  const value = read(reader)
  if (!reader.done) throw new NotDecodable('Something follows')
  return value
}

export const join = (...parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts))

/** An unsigned integer of so many bytes. */
export function uint(size: 1 | 2 | 4 | 8, value: number | bigint): Uint8Array {
  const bytes = new Uint8Array(size)
  let rest = BigInt(value)
  for (let index = size - 1; index >= 0; index--, rest >>= 8n) bytes[index] = Number(rest & 0xffn)
  return bytes
}

/** `opaque x<V>`, or a vector whose items are encoded already. */
export function vector(...items: readonly (Uint8Array | string)[]): Uint8Array {
  const content = Buffer.concat(items.map((item) => (typeof item === 'string' ? Buffer.from(item, 'utf8') : item)))
  const { length } = content
  const header = length < 0x40 ? uint(1, length) : length < 0x4000 ? uint(2, 0x4000 + length) : uint(4, 0x8000_0000 + length)
  return join(header, content)
}
