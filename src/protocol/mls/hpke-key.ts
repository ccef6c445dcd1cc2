import { ECDH } from 'node:crypto'
import { hex } from '../bytes.js'

/** The KEM of each cipher suite of RFC 9420 §17.1 by its curve. */
const CURVE_OF_SUITE: ReadonlyMap<number, Curve> = new Map([
  [1, 'x25519'],
  [2, 'prime256v1'],
  [3, 'x25519'],
  [4, 'x448'],
  [5, 'secp521r1'],
  [6, 'x448'],
  [7, 'secp384r1'],
])

type Curve = 'x25519' | 'x448' | 'prime256v1' | 'secp384r1' | 'secp521r1'

/** Npk and Nenc, which are the same for these KEMs (RFC 9180 §7.1). */
const KEY_BYTES: Readonly<Record<Curve, number>> = { x25519: 32, x448: 56, prime256v1: 65, secp384r1: 97, secp521r1: 133 }

/** The tag of each AEAD that MLS uses (RFC 9180 §7.3). */
export const AEAD_TAG_BYTES = 16

/** Little-endian u-coordinates below 2^255 of points of small order on Curve25519: every shared secret with them is zero. */
const SMALL_ORDER_25519: ReadonlySet<string> = new Set([
  '00'.repeat(32),
  `01${'00'.repeat(31)}`,
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  `ec${'ff'.repeat(30)}7f`,
  `ed${'ff'.repeat(30)}7f`,
  `ee${'ff'.repeat(30)}7f`,
])

/** The same for Curve448, below and just above its prime 2^448 - 2^224 - 1. */
const SMALL_ORDER_448: ReadonlySet<string> = new Set([
  '00'.repeat(56),
  `01${'00'.repeat(55)}`,
  `fe${'ff'.repeat(27)}fe${'ff'.repeat(27)}`,
  `${'ff'.repeat(28)}fe${'ff'.repeat(27)}`,
  `${'00'.repeat(28)}${'ff'.repeat(28)}`,
])

/**
 * Whether members can encrypt to a key: it has the length of the suite's KEM, and is a point of the curve, not of small order.
 * They have to refuse any other (RFC 9180 §7.1.4), and could then neither send a path past it nor follow one.
 */
export function isUsableHpkeKey(suite: number, key: Uint8Array): boolean {
  const curve = CURVE_OF_SUITE.get(suite)
  if (curve === undefined || key.length !== KEY_BYTES[curve]) return false
  switch (curve) {
    case 'x25519':
      return !SMALL_ORDER_25519.has(hex(withoutHighBit(key)))
    case 'x448':
      return !SMALL_ORDER_448.has(hex(key))
    case 'prime256v1':
    case 'secp384r1':
    case 'secp521r1':
      return isPoint(curve, key)
  }
}

/** The bytes of a kem_output of the suite's KEM (Nenc of RFC 9180 §7.1), or undefined for an unknown suite. */
export function kemOutputBytes(suite: number): number | undefined {
  const curve = CURVE_OF_SUITE.get(suite)
  return curve && KEY_BYTES[curve]
}

/** X25519 ignores the highest bit (RFC 7748 §5). */
function withoutHighBit(key: Uint8Array): Uint8Array {
  const last = key[31] ?? 0
  if (last < 0x80) return key
  const masked = key.slice()
  masked[31] = last & 0x7f
  return masked
}

/** Uncompressed, as RFC 9180 §7.1.1 has it. */
function isPoint(curve: string, key: Uint8Array): boolean {
  if (key[0] !== 0x04) return false
  try {
    ECDH.convertKey(key, curve)
    return true
  } catch {
    return false
  }
}
