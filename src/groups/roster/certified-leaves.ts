import { setImmediate } from 'node:timers/promises'
import { secondsNow } from '../../platform/timing.js'
import { certificateIn, judgeLeaf, listIn, type CertificateRule } from '../../authentication/directory/leaf-certificates.js'
import { sameBytes } from '../../protocol/bytes.js'
import { parseClientUri, userUri } from '../../protocol/identifiers.js'
import { LEAF_CERTIFICATE_EXTENSION } from '../../protocol/identity/leaf-certificate.js'
import { decodeRequiredCapabilities, EXTENSION_TYPES, extensionData, type Extension } from '../../protocol/mls/structures/extension.js'
import type { LeafNode } from '../../protocol/mls/structures/leaf-node.js'
import type { ValidCommit } from '../../protocol/public-group/commit.js'
import { memberAt, type Member } from '../../protocol/public-group/state.js'
import { canonicalKey } from '../../protocol/signature-key.js'
import type { CommitContext } from '../commit/commit-context.js'
import { InvalidCommit, PolicyRefusal } from '../groups.problems.js'
import type { FederationLink } from '../home/federation-link.js'
import type { LeafCertificateRow } from '../repository/submissions.repository.js'
import type { LeafDevices, NamedLeaf } from './roster.repository.js'

/** Where a new or changed leaf is to have its certificate: nowhere, in the user's list or the leaf, in the leaf. */
export type Requirement = 'none' | 'listed' | 'shown'

/** @param contexts extensions of the GroupContext, of before and after a Commit */
export function requirementOf(identities: 'certified' | 'any', ...contexts: (readonly Extension[])[]): Requirement {
  if (identities === 'any') return 'none'
  return contexts.some(isRequired) ? 'shown' : 'listed'
}

function isRequired(extensions: readonly Extension[]): boolean {
  const data = extensionData(extensions, EXTENSION_TYPES.requiredCapabilities)
  const required = data && decodeRequiredCapabilities(data)
  return required?.kind === 'decoded' && required.value.extensions.includes(LEAF_CERTIFICATE_EXTENSION)
}

/** A leaf as its certificates are asked for. */
export function namedLeaf(node: LeafNode): NamedLeaf[] {
  const { identity, signatureKey, credential } = memberAt(-1, node)
  if (identity === undefined) return []
  const x509 = credential.kind === 'x509' ? { certificates: credential.certificates } : {}
  return [{ client: identity, publicKey: signatureKey, extension: certificateIn(node.extensions), ...x509 }]
}

/**
 * Leaves of other providers' users are held against what those providers vouch for, and against the users' device lists.
 * @param here this provider's domain @returns whether there were any
 */
export async function introduceLeaves(
  { peers }: Pick<FederationLink, 'peers'>,
  here: string,
  leaves: readonly { client: string; publicKey: Uint8Array | null; extension?: Uint8Array | undefined }[],
): Promise<boolean> {
  if (!peers) return false
  const claims = leaves.flatMap(({ client, publicKey, extension }) => {
    const domain = parseClientUri(client)?.domain
    if (domain === undefined || domain === here) return []
    const key = publicKey && canonicalKey(publicKey)?.publicKey
    return key ? [{ client, publicKey: key, list: listIn(extension) }] : []
  })
  if (claims.length > 0) await peers.introduce(claims)
  return claims.length > 0
}

/** Each takes some 25 µs. */
const LEAVES_IN_A_ROW = 50

/** Certificates of new and changed leaves, by client URI, and the rules that are broken. */
export interface LeafCertificates {
  readonly certified: ReadonlySet<string>
  /** Of those of this provider, for the statement that accepts them. */
  readonly rows: ReadonlyMap<string, LeafCertificateRow>
  readonly faults: ReadonlyMap<string, CertificateRule>
}

/**
 * Judges the certificates of leaves that come or change (docs/identity.md §4): each against its user's list as the database has it, and that all of a
 * user are of one identity. A Commit may bring thousands, so others get their turn in between.
 * @param gone clients whose leaves go with the same Commit @param domain this provider's
 */
export async function judgeCertificates(
  leaves: readonly NamedLeaf[],
  { directory, listed }: LeafDevices,
  requirement: Requirement,
  gone: ReadonlySet<string>,
  domain: string,
): Promise<LeafCertificates> {
  const now = secondsNow()
  const certified = new Set<string>()
  const rows = new Map<string, LeafCertificateRow>()
  const faults = new Map<string, CertificateRule>()
  const identities = new Map<string, Uint8Array>()
  for (const [index, { client, publicKey, extension }] of leaves.entries()) {
    if (index % LEAVES_IN_A_ROW === LEAVES_IN_A_ROW - 1) await setImmediate()
    const [device, known, parsed] = [directory.get(client), listed.get(client), parseClientUri(client)]
    if (publicKey === null || !device || !known || !parsed) continue
    const verdict = judgeLeaf({ client, publicKey, extension }, known, now)
    if (verdict.kind === 'broken') faults.set(client, verdict.rule)
    else if (requirement !== 'none' && (verdict.kind === 'uncertified' || (requirement === 'shown' && extension === undefined)))
      faults.set(client, 'device-certificate-missing')
    if (verdict.kind !== 'certified') continue
    certified.add(client)
    const user = userUri(parsed)
    const before = identities.get(user) ?? verdict.identity
    const differs = Buffer.compare(before, verdict.identity) !== 0 || known.ofOtherIdentity.some((other) => !gone.has(other))
    if (differs && !faults.has(client)) faults.set(client, 'device-certificate-identity')
    identities.set(user, before)
    if (parsed.domain === domain) rows.set(client, { deviceId: device.deviceId, number: verdict.number, ended: verdict.ended })
  }
  return { certified, rows, faults }
}

/** With the rules that X.509 credentials break: whose a key is comes before whether the key's user says so. */
export function withCredentialFaults(certificates: LeafCertificates, faults: ReadonlyMap<string, CertificateRule>): LeafCertificates {
  return faults.size === 0 ? certificates : { ...certificates, faults: new Map([...certificates.faults, ...faults]) }
}

/** @throws InvalidCommit */
export function refuseFaults({ faults }: LeafCertificates): void {
  for (const rule of faults.values()) throw new InvalidCommit(rule)
}

/** A device that comes from outside has its right by the certificate of its leaf; one that comes back, by the key that its leaf had or such a certificate. */
export function requireJoinersKey(
  { caller, vouchers }: Pick<CommitContext, 'caller' | 'vouchers'>,
  verdict: Pick<ValidCommit, 'removed' | 'committer'>,
  { certified, rows }: LeafCertificates,
): void {
  const own = rows.get(caller.client)
  const fits = certified.has(caller.client) && (own === undefined || vouchers === undefined || own.number === vouchers.certificate)
  if (vouchers !== undefined && !fits) throw new PolicyRefusal('Only a device that one in the group has certified may join by itself.')
  const former = verdict.removed.find(({ identity }) => identity === caller.client)
  if (former && !sameKey(former, verdict.committer) && !certified.has(caller.client))
    throw new PolicyRefusal('A device comes back with the key of its leaf, or with a certificate.')
}

function sameKey(one: Member, other: Member): boolean {
  const [first, second] = [one, other].map(({ signatureKey }) => canonicalKey(signatureKey)?.publicKey)
  return first !== undefined && second !== undefined && sameBytes(first, second)
}
