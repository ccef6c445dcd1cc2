import { isKnownScheme, isSigningKey, isWrittenOut, spelling, verifyLabelled } from './keys.js'
import type { Held, VerifiedList } from './list.js'
import { possessionContent, RIGHTS, userOfClient, type Certificate } from './structures.js'

export const POSSESSION_LABEL = 'MicroChat Key Possession'
const DAY = 86_400n

/**
 * The rules of docs/identity.md §2 for a certificate, without those of its keys and of how many there are.
 * @param signer number of the entry that signs @param replaced the active certificate of the same device @returns the rule that is broken
 */
export function faultOfCertificate(
  list: VerifiedList,
  certificate: Certificate,
  signer: number,
  replaced: Held | undefined,
): string | undefined {
  const { kind, rights, notBefore, notAfter } = certificate
  if (!mayBeSubject(list, certificate, replaced)) return 'certificate-subject'
  if (replaced && (replaced.number !== signer || rights & ~replaced.rights)) return 'certificate-replaced'
  if (rights & ~rightsToGive(list, signer, kind)) return 'certificate-rights'
  if (notBefore >= notAfter || notAfter - notBefore > (kind === 'device' ? 400n : 4000n) * DAY) return 'certificate-validity'
  return undefined
}

/** The rules for the keys of a certificate, which cost most. */
export function faultOfKeys(list: VerifiedList, certificate: Certificate, replaced: Held | undefined): string | undefined {
  if (!areUsable(list, certificate, replaced)) return 'certificate-keys'
  return isPossessed(list, certificate) ? undefined : 'certificate-possession'
}

function mayBeSubject(list: VerifiedList, { kind, subject }: Certificate, replaced: Held | undefined): boolean {
  if (kind === 'recovery-key') return subject === ''
  if (kind === 'passkey') return /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/u.test(subject)
  const known = [...list.certificates.values()].some((one) => one.kind === 'device' && one.subject === subject)
  return userOfClient(subject) === list.user && (!known || replaced !== undefined)
}

/** A recovery key or a passkey can make a device like the one that was lost. */
function rightsToGive({ certificates }: VerifiedList, signer: number, kind: Certificate['kind']): number {
  const issuer = certificates.get(signer)
  const own = issuer?.kind === 'device' ? issuer.rights : RIGHTS.all
  return kind === 'device' ? own : own & RIGHTS.enrol
}

/** A key stays with the device that has it, and goes with its certificate. */
function areUsable({ holders }: VerifiedList, { kind, keys }: Certificate, replaced: Held | undefined): boolean {
  const [first] = keys
  if (!first || !isSigningKey(first) || (kind !== 'device' && keys.length > 1)) return false
  const written = keys.map(spelling)
  if (new Set(written).size < keys.length || !keys.every(isWrittenOut)) return false
  return written.every((one) => one !== undefined && (!holders.has(one) || holders.get(one) === replaced?.number))
}

/** What this client cannot check it leaves aside: such a key serves no leaf here. */
function isPossessed({ identity }: VerifiedList, certificate: Certificate): boolean {
  const content = possessionContent(identity, certificate)
  const rpId = certificate.kind === 'passkey' ? certificate.subject : undefined
  return certificate.keys.every((key) => !isKnownScheme(key.scheme) || verifyLabelled(key, rpId, POSSESSION_LABEL, content, key.possession))
}
