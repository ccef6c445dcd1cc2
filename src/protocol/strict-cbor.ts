import { isUtf8 } from 'node:buffer'
import { decode } from 'cborg'

/** Deeper than any of our bodies and frames; a nested one must not exhaust the stack. */
const MAX_DEPTH = 16
const MAX_ITEMS = 50_000

/** The bytes are no CBOR that the server takes; the message says why, and holds nothing of them. */
export class CborError extends Error {}

/**
 * Strict CBOR (RFC 8949 §5): one item that fills the input, shortest lengths, definite lengths, text keys, no tags, no duplicate keys,
 * no undefined, no NaN or Infinity, integers within 2^53, at most 50,000 items and 16 levels. Byte strings are Uint8Arrays.
 * @throws CborError
 */
export function decodeCbor(bytes: Uint8Array): unknown {
  checkShape(bytes)
  try {
    return decode(bytes, {
      strict: true,
      allowIndefinite: false,
      allowUndefined: false,
      allowNaN: false,
      allowInfinity: false,
      allowBigInt: false,
      rejectDuplicateMapKeys: true,
    })
  } catch {
    throw new CborError('not strict CBOR')
  }
}

/** `decodeCbor`, which gives undefined for bytes that are no such CBOR: no item decodes to that. Never throws. */
export function readCbor(bytes: Uint8Array): unknown {
  try {
    return decodeCbor(bytes)
  } catch {
    return undefined
  }
}

/**
 * One walk over the item heads before cborg sees them: it recurses per level and allocates per item, and would
 * turn a `__proto__` key into a prototype. Bounds depth and items; refuses other than text keys.
 */
function checkShape(bytes: Uint8Array): void {
  const open: { left: number; isMap: boolean }[] = []
  let at = 0
  let items = 0
  while (at < bytes.length) {
    const head = readHead(bytes, at)
    if (++items > MAX_ITEMS) throw new CborError('too many items')
    const parent = open.at(-1)
    const content = head.major === 2 || head.major === 3 ? head.value : 0
    // cborg would put replacement characters in: two keys that differ could become one.
    if (head.major === 3 && !isUtf8(bytes.subarray(head.end, head.end + content))) throw new CborError('not UTF-8')
    if (parent?.isMap && parent.left % 2 === 0) checkKey(bytes, head)
    if (parent) parent.left -= 1
    at = head.end + content
    if (head.major === 4) open.push({ left: head.value, isMap: false })
    if (head.major === 5) open.push({ left: head.value * 2, isMap: true })
    if (open.length > MAX_DEPTH) throw new CborError('nested too deeply')
    while (open.at(-1)?.left === 0) open.pop()
    if (open.length === 0 && at !== bytes.length) throw new CborError('trailing bytes')
  }
  if (items === 0 || open.length > 0) throw new CborError('cut short')
}

interface Head {
  major: number
  value: number
  end: number
}

function readHead(bytes: Uint8Array, at: number): Head {
  const first = bytes[at] ?? 0
  const major = first >> 5
  const info = first & 31
  if (major === 6) throw new CborError('tags are not allowed')
  if (info > 27) throw new CborError('indefinite lengths are not allowed')
  const extra = info < 24 ? 0 : 1 << (info - 24)
  if (at + 1 + extra > bytes.length) throw new CborError('cut short')
  let value = info < 24 ? info : 0
  for (let i = 1; i <= extra; i++) value = value * 256 + (bytes[at + i] ?? 0)
  const end = at + 1 + extra
  if (major >= 2 && major <= 5 && value > bytes.length - end) throw new CborError('cut short')
  return { major, value, end }
}

function checkKey(bytes: Uint8Array, head: Head): void {
  if (head.major !== 3) throw new CborError('map keys must be text')
  if (head.value === 9 && Buffer.from(bytes.subarray(head.end, head.end + 9)).toString('latin1') === '__proto__') {
    throw new CborError('forbidden key')
  }
}
