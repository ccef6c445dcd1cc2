import type { KeyObject } from 'node:crypto'
import {
  parseItem,
  serializeInnerList,
  serializeDictionary,
  serializeItem,
  type BareItem,
  type InnerList,
  type Item,
} from 'structured-headers'
import { isProviderDomain } from '../identifiers.js'
import { signBase, verifyBase } from './algorithms.js'
import { integerParameter, signatureFields, textParameter, type FoundSignature } from './signature-fields.js'
import type { HttpHeaders, HttpMessage } from './message.js'
import { signatureBase } from './signature-base.js'

/** What every signature between providers has in common (docs/federation-profile.md). */
export const LABEL = 'mimi'
export const MAX_LIFETIME_SECONDS = 300
/** Ours covers 12 at most, in a response. */
export const MAX_COMPONENTS = 16

/** In a response: the signature of what it answers, so that it fits no other request. */
export const OF_SIGNED_REQUEST = `"signature";req;key="${LABEL}"`

const NONCE = /^[A-Za-z0-9_-]{16,64}$/
const KEY_ID = /^(.{1,260})\/([A-Za-z0-9_-]{1,64})$/
const FROM = /^mimi@(.{1,260})$/

/** Why a message's signature is not taken; each is a problem type. */
export type SignatureFault =
  | 'signature-missing'
  | 'signature-malformed'
  | 'component-not-covered'
  | 'key-id-malformed'
  | 'from-mismatch'
  | 'algorithm-unsupported'
  | 'signature-too-long-lived'
  | 'nonce-malformed'

export interface SigningKey {
  /** The provider that signs. */
  readonly domain: string
  readonly keyId: string
  readonly privateKey: KeyObject
}

/** `created` and `expires` are seconds since the epoch. */
export interface SignatureTimes {
  readonly created: number
  readonly expires: number
  readonly nonce: string
}

/** A signature that is in order as far as that shows without the key. */
export interface ClaimedSignature extends SignatureTimes {
  readonly kind: 'claimed'
  /** The provider that is said to have signed. */
  readonly domain: string
  readonly keyId: string
  /** Only here the base is built, whose length the sender chooses: for those who have been admitted. */
  verify(publicKey: KeyObject): SignatureVerdict
}
export type SignatureVerdict = 'valid' | 'invalid' | { readonly why: string }
export interface FaultySignature {
  readonly kind: 'faulty'
  readonly fault: SignatureFault
  readonly detail: string
}

/** The value of `From` for a provider (draft-ietf-mimi-protocol-06, transport). */
export function fromField(domain: string): string {
  return `mimi@${domain}`
}

/** The fields `signature-input` and `signature` for a message that has all the components. */
export function sign(
  message: HttpMessage,
  components: readonly string[],
  tag: string,
  { domain, keyId, privateKey }: SigningKey,
  { created, expires, nonce }: SignatureTimes,
): { 'signature-input': string; signature: string } {
  const parameters = new Map<string, BareItem>([
    ['created', created],
    ['expires', expires],
    ['nonce', nonce],
    ['keyid', `${domain}/${keyId}`],
    ['alg', 'ed25519'],
    ['tag', tag],
  ])
  const input: InnerList = [components.map((component): Item => parseItem(component)), parameters]
  const base = signatureBase(message, input)
  if (base.kind === 'unusable') throw new RangeError(base.why)
  const signature = signBase('ed25519', privateKey, base.bytes)
  return {
    'signature-input': `${LABEL}=${serializeInnerList(input)}`,
    signature: serializeDictionary(new Map([[LABEL, [signature, new Map()]]])),
  }
}

/** The one signature of this profile, among whatever else a message carries. Never throws. */
export function claimedSignature(message: HttpMessage, needed: readonly string[], tag: string): ClaimedSignature | FaultySignature {
  const fields = signatureFields(message.headers)
  if (fields.kind === 'malformed') return faulty('signature-malformed', fields.why)
  const found = fields.kind === 'found' ? fields.signatures.find(({ label, input }) => isOurs(label, input, tag)) : undefined
  if (!found) return faulty('signature-missing', `There is no signature labelled ${LABEL} with the tag ${tag}.`)
  return claims(message, needed, found)
}

function claims(message: HttpMessage, needed: readonly string[], { input, signature }: FoundSignature): ClaimedSignature | FaultySignature {
  const covered = coverage(input)
  if (typeof covered === 'string') return faulty('signature-malformed', covered)
  const left = needed.find((component) => !covered.has(component))
  if (left !== undefined) return faulty('component-not-covered', `The signature does not cover ${left}.`)
  const algorithm = textParameter(input, 'alg')
  if (algorithm !== undefined && algorithm !== 'ed25519') return faulty('algorithm-unsupported', 'Signatures are made with ed25519.')
  const [, domain, keyId] = KEY_ID.exec(textParameter(input, 'keyid') ?? '') ?? []
  if (domain === undefined || keyId === undefined || !isProviderDomain(domain))
    return faulty('key-id-malformed', 'keyid is <domain>/<key id>.')
  if (fromDomain(message.headers) !== domain) return faulty('from-mismatch', 'From is not mimi@<domain of keyid>.')
  const [created, expires, nonce] = [integerParameter(input, 'created'), integerParameter(input, 'expires'), textParameter(input, 'nonce')]
  if (created === undefined || expires === undefined) return faulty('signature-malformed', 'created and expires are needed, as integers.')
  if (expires <= created || expires - created > MAX_LIFETIME_SECONDS)
    return faulty('signature-too-long-lived', `A signature lives ${MAX_LIFETIME_SECONDS} seconds at most.`)
  if (nonce === undefined || !NONCE.test(nonce)) return faulty('nonce-malformed', 'nonce is 16 to 64 characters of base64url.')
  const verify = (publicKey: KeyObject): SignatureVerdict => {
    const base = signatureBase(message, input)
    if (base.kind === 'unusable') return { why: `${base.why}.` }
    return verifyBase('ed25519', publicKey, base.bytes, signature) ? 'valid' : 'invalid'
  }
  return { kind: 'claimed', domain, keyId, created, expires, nonce, verify }
}

/**
 * The identifiers of the covered components, or why they are not taken. Each once, and few; in the forms of the profile only, as the
 * others (`@query-param`, `;sf`, `;bs`, `;key` of any field) make a value out of a whole field or query each time.
 */
function coverage([components]: InnerList): ReadonlySet<string> | string {
  if (components.length > MAX_COMPONENTS) return `A signature covers ${MAX_COMPONENTS} components at most.`
  const covered = new Set<string>()
  for (const [name, parameters] of components) {
    if (typeof name !== 'string' || name === '@query-param') return 'A component has no name that is taken here.'
    const identifier = serializeItem([name, parameters])
    if (identifier !== OF_SIGNED_REQUEST && [...parameters.keys()].some((parameter) => parameter !== 'req'))
      return `The component ${identifier} is not taken here.`
    if (covered.has(identifier)) return `The component ${identifier} is covered twice.`
    covered.add(identifier)
  }
  return covered
}

/** Whether a signature's time is now, by a clock that may differ from the signer's. */
export function isFresh({ created, expires }: Pick<SignatureTimes, 'created' | 'expires'>, now: number, skew: number): boolean {
  return created <= now + skew && expires >= now - skew
}

/** The provider that a message is said to be from (draft-ietf-mimi-protocol-06, transport: `From: mimi@<domain>`). */
export function fromDomain(headers: HttpHeaders): string | undefined {
  const { from } = headers
  return typeof from === 'string' ? FROM.exec(from.trim())?.[1] : undefined
}

function isOurs(label: string, input: InnerList, tag: string): boolean {
  return label === LABEL && textParameter(input, 'tag') === tag
}

function faulty(fault: SignatureFault, detail: string): FaultySignature {
  return { kind: 'faulty', fault, detail }
}
