import { decodeMlsMessage, encodeMlsMessage } from 'ts-mls'
import type { KeyPackage } from 'ts-mls/keyPackage.js'

/** The KeyPackage in an MLSMessage. @throws Error if it is another message */
export function decodeKeyPackageMessage(bytes: Uint8Array): KeyPackage {
  const decoded = decodeMlsMessage(bytes, 0)?.[0]
  if (decoded?.wireformat !== 'mls_key_package') throw new Error('Not a KeyPackage')
  return decoded.keyPackage
}

/** A KeyPackage as an MLSMessage, as it is uploaded. */
export function encodeKeyPackageMessage(keyPackage: KeyPackage): Uint8Array {
  return encodeMlsMessage({ version: 'mls10', wireformat: 'mls_key_package', keyPackage })
}
