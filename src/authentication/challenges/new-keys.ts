import { InvalidRequest } from '../../platform/http/problem.js'
import { canonicalKey, isSoundKey } from '../../protocol/signature-key.js'
import type { NewSignatureKey } from './challenges.dto.js'

/** What is wrong with new keys by themselves, before anybody's proof is looked at. */
export function assertUsableKeys(keys: readonly NewSignatureKey[]): void {
  const seen = new Set<string>()
  const errors = keys.flatMap((key, index) => {
    const found = complaint(key, seen)
    return found === undefined ? [] : [{ path: `signature_keys.${index}.${found.member}`, message: found.message }]
  })
  if (errors.length > 0) throw new InvalidRequest('The signature key is not valid for its scheme.', errors)
}

function complaint(given: NewSignatureKey, seen: Set<string>): { member: keyof NewSignatureKey; message: string } | undefined {
  const key = canonicalKey(given.public_key)
  if (key === undefined || key.scheme !== given.scheme || !isSoundKey(key)) {
    return { member: 'public_key', message: 'Not a public key of this scheme' }
  }
  if (given.valid_until !== undefined && given.valid_until.getTime() <= Date.now()) {
    return { member: 'valid_until', message: 'In the past' }
  }
  const spelling = Buffer.from(key.publicKey).toString('hex')
  if (seen.has(spelling)) return { member: 'public_key', message: 'The same key twice' }
  seen.add(spelling)
  return undefined
}
