import { X509Certificate } from 'node:crypto'
import { spellingOf } from '../../protocol/identity/certificates.js'
import type { Certified } from '../../protocol/identity/device-list.js'
import type { ListKey } from '../../protocol/identity/entry.js'
import { answersChallenge } from '../../protocol/identity/signatures.js'
import { SIGNATURE_SCHEMES } from '../../protocol/mls/signature.js'

/** What navigator.credentials.create answered. */
interface RegistrationAnswer {
  readonly client_data_json: Uint8Array
  readonly attestation_object: Uint8Array
}

/** Whose attestations count. */
export interface TrustedAuthenticators {
  readonly roots: readonly X509Certificate[]
  /** Models, in lower case; undefined: all. */
  readonly aaguids: readonly string[] | undefined
}

/** COSE (RFC 9053): the algorithms that serve for device lists, members of keys, and the curves of the algorithms. */
const [ES256, EDDSA] = [-7, -8]
const COSE = { algorithm: 3, curve: -1, x: -2, y: -3 } as const
const [P256, ED25519] = [1, 6]
/** A certificate of an authenticator, and those between it and its root. */
const MAX_CERTIFICATES = 4

/**
 * Whether an answer is about this passkey, to this challenge, with the user verified, and signed by an authenticator that is trusted.
 * Only format `packed` is read (W3C Web Authentication Level 2 §8.2), so that what strangers send reaches little code.
 * @param trusted undefined: the authenticator may say about itself what it likes, also without a certificate
 */
export async function isAttested(
  { client_data_json: clientDataJson, attestation_object: attestationObject }: RegistrationAnswer,
  passkey: Pick<Certified, 'subject' | 'keys'>,
  challenge: Uint8Array,
  trusted: TrustedAuthenticators | undefined,
): Promise<boolean> {
  const { subject: rpId, keys } = passkey
  if (!answersChallenge(clientDataJson, { type: 'webauthn.create', challenge, rpId })) return false
  try {
    const answer = { clientDataJson, attestationObject }
    const read = await readAnswer(answer, rpId, Buffer.from(challenge).toString('base64url'))
    if (read === undefined || !isKey(read.key, keys[0])) return false
    return trusted === undefined || isTrusted(read, trusted)
  } catch {
    // The library throws for all that it finds wrong, and cannot say otherwise that it is no attestation.
    return false
  }
}

interface ReadAnswer {
  readonly key: ReadonlyMap<number, unknown>
  readonly aaguid: string
  /** In DER; none: the passkey has attested itself. */
  readonly certificates: readonly Uint8Array[]
}

/** Loaded with the first attestation: few servers ask for any, and it takes a tenth of a second and 30 MB. */
async function readAnswer(
  { clientDataJson, attestationObject }: { clientDataJson: Uint8Array; attestationObject: Uint8Array },
  rpId: string,
  expectedChallenge: string,
): Promise<ReadAnswer | undefined> {
  const { verifyRegistrationResponse } = await import('@simplewebauthn/server')
  const { decodeAttestationObject, decodeCredentialPublicKey } = await import('@simplewebauthn/server/helpers')
  const decoded = decodeAttestationObject(new Uint8Array(attestationObject))
  if (decoded.get('fmt') !== 'packed') return undefined
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url')
  const { verified, registrationInfo } = await verifyRegistrationResponse({
    response: {
      id: 'unused',
      rawId: 'unused',
      type: 'public-key',
      response: { clientDataJSON: text(clientDataJson), attestationObject: text(attestationObject) },
      clientExtensionResults: {},
    },
    expectedChallenge,
    expectedOrigin: `https://${rpId}`,
    expectedRPID: rpId,
    requireUserVerification: true,
    supportedAlgorithmIDs: [ES256, EDDSA],
  })
  if (!verified) return undefined
  const key: unknown = decodeCredentialPublicKey(registrationInfo.credential.publicKey)
  if (!(key instanceof Map)) return undefined
  return { key, aaguid: registrationInfo.aaguid, certificates: decoded.get('attStmt').get('x5c') ?? [] }
}

function isKey(key: ReadonlyMap<number, unknown>, listed: ListKey | undefined): boolean {
  const [algorithm, curve, x, y] = [COSE.algorithm, COSE.curve, COSE.x, COSE.y].map((member) => key.get(member))
  if (listed === undefined || !(x instanceof Uint8Array)) return false
  if (algorithm === EDDSA && curve === ED25519) return isSame({ scheme: SIGNATURE_SCHEMES.ed25519, publicKey: x }, listed)
  if (algorithm !== ES256 || curve !== P256 || !(y instanceof Uint8Array)) return false
  return isSame({ scheme: SIGNATURE_SCHEMES.ecdsaP256Sha256, publicKey: Buffer.concat([Buffer.of(4), x, y]) }, listed)
}

function isSame(a: ListKey, b: ListKey): boolean {
  const spelling = spellingOf(a)
  return spelling !== undefined && spelling === spellingOf(b)
}

function isTrusted({ aaguid, certificates }: ReadAnswer, { roots, aaguids }: TrustedAuthenticators): boolean {
  if (aaguids !== undefined && !aaguids.includes(aaguid)) return false
  return (
    certificates.length <= MAX_CERTIFICATES &&
    leadsTo(
      roots,
      certificates.map((der) => new X509Certificate(der)),
    )
  )
}

/** Whether certificates, each issued by the next, end at a root. Nothing is fetched: what has been revoked the operator takes out of the roots. */
function leadsTo(roots: readonly X509Certificate[], chain: readonly X509Certificate[]): boolean {
  const last = chain.at(-1)
  const linked = chain.every((certificate, index) => {
    const issuer = chain[index + 1]
    return isValidNow(certificate) && (issuer === undefined || isIssuedBy(certificate, issuer))
  })
  return last !== undefined && linked && roots.some((root) => isValidNow(root) && (root.raw.equals(last.raw) || isIssuedBy(last, root)))
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
}

function isValidNow({ validFrom, validTo }: X509Certificate): boolean {
  const now = Date.now()
  return Date.parse(validFrom) <= now && now <= Date.parse(validTo)
}
