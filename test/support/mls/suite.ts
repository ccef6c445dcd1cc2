/** What opening a Welcome needs to know of a cipher suite (RFC 9420 §17.1, RFC 9180 §7): tests only. */
export interface Suite {
  readonly hash: 'sha256' | 'sha384' | 'sha512'
  readonly hashBytes: number
  readonly kem: { readonly id: number; readonly curve: Curve; readonly hash: 'sha256' | 'sha384' | 'sha512'; readonly secretBytes: number }
  readonly kdfId: number
  readonly aead: { readonly id: number; readonly cipher: 'aes-128-gcm' | 'aes-256-gcm' | 'chacha20-poly1305'; readonly keyBytes: number }
}

export type Curve = 'x25519' | 'x448' | 'prime256v1' | 'secp384r1' | 'secp521r1'

const X25519 = { id: 0x0020, curve: 'x25519', hash: 'sha256', secretBytes: 32 } as const
const X448 = { id: 0x0021, curve: 'x448', hash: 'sha512', secretBytes: 64 } as const
const P256 = { id: 0x0010, curve: 'prime256v1', hash: 'sha256', secretBytes: 32 } as const
const P384 = { id: 0x0011, curve: 'secp384r1', hash: 'sha384', secretBytes: 48 } as const
const P521 = { id: 0x0012, curve: 'secp521r1', hash: 'sha512', secretBytes: 64 } as const

const AES128 = { id: 1, cipher: 'aes-128-gcm', keyBytes: 16 } as const
const AES256 = { id: 2, cipher: 'aes-256-gcm', keyBytes: 32 } as const
const CHACHA = { id: 3, cipher: 'chacha20-poly1305', keyBytes: 32 } as const

export const SUITES: ReadonlyMap<number, Suite> = new Map<number, Suite>([
  [1, { hash: 'sha256', hashBytes: 32, kem: X25519, kdfId: 1, aead: AES128 }],
  [2, { hash: 'sha256', hashBytes: 32, kem: P256, kdfId: 1, aead: AES128 }],
  [3, { hash: 'sha256', hashBytes: 32, kem: X25519, kdfId: 1, aead: CHACHA }],
  [4, { hash: 'sha512', hashBytes: 64, kem: X448, kdfId: 3, aead: AES256 }],
  [5, { hash: 'sha512', hashBytes: 64, kem: P521, kdfId: 3, aead: AES256 }],
  [6, { hash: 'sha512', hashBytes: 64, kem: X448, kdfId: 3, aead: CHACHA }],
  [7, { hash: 'sha384', hashBytes: 48, kem: P384, kdfId: 2, aead: AES256 }],
])
