import type { KeyObject } from 'node:crypto'
import { GeneralSign, generalVerify, type GeneralJWS } from 'jose'
import { z } from 'zod'
import { MAX_PUBLISHED } from '../../authentication/x509/authority-rotation.js'
import { MAX_AUTHORITY_BYTES } from '../../authentication/x509/operator-authority.js'
import { isProviderDomain } from '../../protocol/identifiers.js'
import type { ProviderKey } from './provider-keys.js'

/** How long peers may use a copy. */
const VALID_SECONDS = 7 * 86_400
const TYPE = 'mimi-key-directory'
const MAX_KEYS = 16
const MAX_SIGNATURES = 16

/** Up to the year 9999: what PostgreSQL and Date can both hold. */
const Seconds = z.int().nonnegative().max(253_402_300_799)
const KeyOfDirectory = z.object({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  kid: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
  nbf: Seconds,
  exp: Seconds.optional(),
})

/** DER in base64url. A provider whose authorities cannot be read has none; the rest of its directory counts. */
const AuthoritiesOfDirectory = z
  .array(
    z
      .string()
      .max(Math.ceil((MAX_AUTHORITY_BYTES * 4) / 3))
      .regex(/^[A-Za-z0-9_-]+$/),
  )
  .max(MAX_PUBLISHED)
  .optional()
  .catch(undefined)

/** A provider's own description, signed by each of its keys: a peer that has pinned one of them learns of the others by it. */
export const KeyDirectory = z.object({
  domain: z.string().refine(isProviderDomain),
  issued_at: Seconds,
  expires_at: Seconds,
  profiles: z.array(z.string().regex(/^[\x21-\x7e]{1,64}$/)).max(16),
  keys: z
    .array(KeyOfDirectory)
    .min(1)
    .max(MAX_KEYS)
    .refine((keys) => new Set(keys.map(({ kid }) => kid)).size === keys.length, 'must have ids of their own'),
  x509_authorities: AuthoritiesOfDirectory,
})
export type KeyDirectory = z.infer<typeof KeyDirectory>

const Signature = z.object({ signature: z.string().max(256), protected: z.string().max(256) })
/** JWS in its general JSON serialization (RFC 7515 §7.2.1). */
export const SignedKeyDirectory = z.object({ payload: z.string().max(16_384), signatures: z.array(Signature).min(1).max(MAX_SIGNATURES) })
export type SignedKeyDirectory = z.infer<typeof SignedKeyDirectory>

/** `/.well-known/mimi-protocol-directory` */
export const MimiDirectory = z.looseObject({
  profiles: z.array(z.string()).max(16).optional(),
  key_directory: SignedKeyDirectory,
})

/**
 * A directory of these keys, signed by each of them (RFC 7515 §7.2.1), valid for a week from `about.now`.
 * @param about with the X.509 authorities of the domain, DER
 */
export async function signKeyDirectory(
  keys: readonly ProviderKey[],
  about: { domain: string; profiles: readonly string[]; now: Date; authorities?: readonly Uint8Array[] },
): Promise<SignedKeyDirectory> {
  const { authorities = [] } = about
  const issued = seconds(about.now)
  const directory: KeyDirectory = {
    domain: about.domain,
    issued_at: issued,
    expires_at: issued + VALID_SECONDS,
    profiles: [...about.profiles],
    keys: keys.map(({ keyId, publicKey, notBefore, notAfter }) => ({
      kty: 'OKP',
      crv: 'Ed25519',
      x: Buffer.from(publicKey).toString('base64url'),
      kid: keyId,
      nbf: seconds(notBefore),
      ...(notAfter && { exp: seconds(notAfter) }),
    })),
    ...(authorities.length > 0 && { x509_authorities: authorities.map((one) => Buffer.from(one).toString('base64url')) }),
  }
  const signing = new GeneralSign(Buffer.from(JSON.stringify(directory)))
  for (const { keyId, privateKey } of keys) signing.addSignature(privateKey).setProtectedHeader({ alg: 'EdDSA', kid: keyId, typ: TYPE })
  return SignedKeyDirectory.parse(await signing.sign())
}

/** The content of a directory, unverified. Undefined if it is malformed. */
export function readKeyDirectory({ payload }: SignedKeyDirectory): KeyDirectory | undefined {
  try {
    const parsed = KeyDirectory.safeParse(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')))
    return parsed.data
  } catch {
    return undefined // not JSON
  }
}

/** Whether one of its signatures is by this key. */
export async function isSignedBy(directory: SignedKeyDirectory, publicKey: KeyObject): Promise<boolean> {
  try {
    const { protectedHeader } = await generalVerify(directory as GeneralJWS, publicKey, { algorithms: ['EdDSA'] })
    return protectedHeader?.typ === TYPE
  } catch {
    return false // of another key, or of none
  }
}

function seconds(date: Date): number {
  return Math.floor(date.getTime() / 1000)
}
