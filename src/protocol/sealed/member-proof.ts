import { verifyBase } from '../http-signature/algorithms.js'
import type { HttpRequestMessage } from '../http-signature/message.js'
import { coveredBy, signatureBase } from '../http-signature/signature-base.js'
import { signatureFields, textParameter } from '../http-signature/signature-fields.js'
import { senderKey } from './sender-key.js'

/** The label and tag of the signature by a sender key. */
export const MEMBER_LABEL = 'member'
export const MEMBER_TAG = 'microchat-member'

/**
 * The path has group and epoch, the digest stands for the ciphertext, and Authorization for the token with its nonce. No time and no
 * nonce of its own: they would tell of a clock, and the token is taken once.
 */
export const MEMBER_COMPONENTS = ['"@method"', '"@path"', '"content-digest"', '"authorization"']
const PARAMETERS = new Set(['keyid', 'alg', 'tag'])

export type MemberProof =
  | { readonly kind: 'proof'; readonly publicKey: Uint8Array; readonly holds: () => boolean }
  | { readonly kind: 'faulty'; readonly why: string }

/**
 * Proof that a post was signed with the sender key in `keyid`; whether that key is one of the group's epoch, the caller checks. Never throws.
 * @param keyOf the key object of an Ed25519 public key, undefined if it is none; a caller may remember them
 */
export function memberProof(message: HttpRequestMessage, keyOf = senderKey): MemberProof {
  const fields = signatureFields(message.headers)
  if (fields.kind === 'malformed') return faulty(fields.why)
  if (fields.kind === 'found' && fields.signatures.length > 1) return faulty('there is more than one signature')
  const found = fields.kind === 'found' ? fields.signatures.find(({ label }) => label === MEMBER_LABEL) : undefined
  if (!found) return faulty(`there is no signature labelled ${MEMBER_LABEL}`)
  const { input, signature } = found
  // Exactly these: a post that covers more, or says when it was made, would stand out among the others.
  if (input[0].length !== MEMBER_COMPONENTS.length || coveredBy(input).join(' ') !== MEMBER_COMPONENTS.join(' '))
    return faulty(`the signature has to cover ${MEMBER_COMPONENTS.join(' ')}`)
  if ([...input[1].keys()].some((name) => !PARAMETERS.has(name)))
    return faulty('the signature has parameters other than keyid, alg and tag')
  if (textParameter(input, 'tag') !== MEMBER_TAG) return faulty(`the tag is not ${MEMBER_TAG}`)
  if (textParameter(input, 'alg') !== 'ed25519') return faulty('the algorithm is not ed25519')
  const publicKey = Buffer.from(textParameter(input, 'keyid') ?? '', 'base64url')
  const key = keyOf(publicKey)
  if (!key) return faulty('keyid is not an Ed25519 key in base64url')
  const holds = () => {
    const base = signatureBase(message, input)
    return base.kind === 'base' && verifyBase('ed25519', key, base.bytes, signature)
  }
  return { kind: 'proof', publicKey: new Uint8Array(publicKey), holds }
}

function faulty(why: string): MemberProof {
  return { kind: 'faulty', why }
}
