import { sign, verify, type KeyObject } from 'node:crypto'
import { z } from 'zod'
import type { DirectoryContent, KeyDirectory, SignedKeyDirectory } from './directory-document.js'
import type { ProviderKey } from './provider-keys.js'

/** How long peers may go by a directory that they cannot fetch again. */
const VALID_SECONDS = 7 * 86_400
const TYPE = 'mimi-key-directory'

/** What is written, as nearly all verifiers know it; `Ed25519` is the name of the same algorithm in RFC 9864. */
const WRITTEN = 'EdDSA'

/** With `crit` (RFC 7515 §4.1.11) something would have to be understood that is not understood here. */
const ProtectedHeader = z.looseObject({
  alg: z.enum(['EdDSA', 'Ed25519']),
  kid: z.string(),
  typ: z.literal(TYPE),
  crit: z.undefined().optional(),
})

/** @param keys by which it is signed, of which those that are `listed` are named. @param issued seconds */
export function signKeyDirectory(keys: readonly ProviderKey[], content: DirectoryContent, issued: number): SignedKeyDirectory {
  const { authorities } = content
  const directory: KeyDirectory = {
    domain: content.domain,
    issued_at: issued,
    expires_at: issued + VALID_SECONDS,
    profiles: [...content.profiles],
    features: [...content.features],
    endpoints: content.endpoints,
    keys: keys.filter(({ listed }) => listed).map(jwkOf),
    ...(authorities.length > 0 && { x509_authorities: authorities.map((one) => Buffer.from(one).toString('base64url')) }),
  }
  const payload = Buffer.from(JSON.stringify(directory)).toString('base64url')
  const signatures = keys.map(({ keyId, privateKey }) => {
    const header = Buffer.from(JSON.stringify({ alg: WRITTEN, kid: keyId, typ: TYPE })).toString('base64url')
    return { protected: header, signature: sign(null, Buffer.from(`${header}.${payload}`), privateKey).toString('base64url') }
  })
  return { payload, signatures }
}

function jwkOf({ keyId, publicKey, notBefore, notAfter }: ProviderKey): KeyDirectory['keys'][number] {
  const x = Buffer.from(publicKey).toString('base64url')
  const nbf = Math.floor(notBefore.getTime() / 1000)
  return { kty: 'OKP', crv: 'Ed25519', x, kid: keyId, nbf, ...(notAfter && { exp: Math.floor(notAfter.getTime() / 1000) }) }
}

/** Whether one of its signatures is by the key of this id (RFC 7515 §5.2). Only those that name it are looked at: their number is the provider's to choose. */
export function isSignedBy({ payload, signatures }: SignedKeyDirectory, keyId: string, publicKey: KeyObject): boolean {
  return signatures.some(({ protected: header, signature }) => {
    if (headerOf(header)?.kid !== keyId) return false
    return verify(null, Buffer.from(`${header}.${payload}`), publicKey, Buffer.from(signature, 'base64url'))
  })
}

function headerOf(encoded: string): z.infer<typeof ProtectedHeader> | undefined {
  try {
    return ProtectedHeader.safeParse(JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8'))).data
  } catch {
    return undefined // not JSON
  }
}
