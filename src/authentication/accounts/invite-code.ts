import { createHash, randomBytes } from 'node:crypto'

/** 160 bits: nobody guesses one, so a plain hash of it can be stored and looked up. */
const CODE_BYTES = 20

export function newInviteCode(): string {
  return randomBytes(CODE_BYTES).toString('base64url')
}

export function hashOfCode(code: string): Uint8Array {
  return createHash('sha256').update('microchat invite v1\0').update(code).digest()
}
