import type { LeafNode } from 'ts-mls/leafNode.js'
import { clientOfCredential } from '../x509/chain.js'
import type { Identities, Known, Trouble } from './identities.js'
import { certificateOfLeaf, checkLeafCertificate, LEAF_CERTIFICATE, type LeafKey } from './leaf.js'
import { DAY, hashAt, numberOf, orRule, overdue, same, type Held, type VerifiedList } from './list.js'
import { IdentityRefused } from './refused.js'
import { decodeLeafCertificate, userOfClient, type LeafCertificate } from './structures.js'

export interface LeafQuestion {
  /** TLS SignatureScheme of the group's cipher suite. */
  scheme: number
  /** Not in the tree before: it has to pass by a head that has not expired. */
  isNew: boolean
  /** Whether the certificate has to be in the leaf itself. */
  inLeaf: boolean
  /** Id of the group. */
  group: Uint8Array
}

/**
 * Whether a leaf passes (docs/identity.md §5), by the newest list of its user.
 * @returns its certificate, and the list that has it @throws IdentityRefused with the reason why it fails
 */
export async function judgeLeaf(
  identities: Identities,
  leaf: LeafNode,
  { scheme, isNew, inLeaf, group }: LeafQuestion,
): Promise<{ held: Held; list: VerifiedList }> {
  const client = clientOfCredential(leaf.credential)
  const user = userOfClient(client)
  if (user === undefined) throw new IdentityRefused('invalid', client, { rule: 'device-certificate' })
  const data = leaf.extensions.find(({ extensionType }) => Number(extensionType) === LEAF_CERTIFICATE)?.extensionData
  if (!data && inLeaf) throw new IdentityRefused('invalid', user, { rule: 'device-certificate-missing' })
  const carried = data && orRule(user, 'device-certificate', () => decodeLeafCertificate(data))
  const known = await newestFor(identities, user, carried, group)
  if (!known) throw new IdentityRefused('no-list', user)
  const key = { client, scheme, signatureKey: leaf.signaturePublicKey }
  requireIdentity(identities, user, known, carried)
  const held = data && carried ? certified(known, data, carried, key, identities.time) : listed(known, key, identities.time)
  if (carried) noteWhatItKnows(identities, user, known, carried)
  requireStanding(user, identities.kept(user) ?? known, isNew, identities.time)
  return { held, list: known.list }
}

/** Asks once more if the leaf knows of entries that are not kept, or of a certificate that the kept list has no place for. */
async function newestFor(
  identities: Identities,
  user: string,
  carried: LeafCertificate | undefined,
  group: Uint8Array,
): Promise<Known | undefined> {
  const atLeast = carried ? Math.max(carried.listNumber, carried.certificate.number) : 0
  const known = await identities.of(user, { atLeast, group })
  const stranger = carried && known && !same(carried.identity, known.list.identity)
  return stranger ? identities.of(user, { fresh: true, group }) : known
}

/** A leaf of another identity than the one that is kept: a new one that the user has not accepted, or an old one. */
function requireIdentity(identities: Identities, user: string, { list }: Known, carried: LeafCertificate | undefined): void {
  if (!carried || same(carried.identity, list.identity)) return
  const offered = identities.pins.get(user)?.offered
  throw new IdentityRefused(offered ? 'identity-changed' : 'invalid', user, { rule: 'device-certificate' })
}

function certified({ list }: Known, data: Uint8Array, carried: LeafCertificate, key: LeafKey, now: bigint): Held {
  if (carried.certificate.number > numberOf(list))
    throw new IdentityRefused('withheld', list.user, { about: `entry ${carried.certificate.number}` })
  return checkLeafCertificate(list, data, key, now, { anyHistory: true })
}

function listed({ list }: Known, key: LeafKey, now: bigint): Held {
  const held = certificateOfLeaf(list, key, now)
  if (!held) throw new IdentityRefused('invalid', list.user, { rule: 'device-certificate-missing' })
  return held
}

/** The leaf is the user's own word, by a certified key: what it knows of the list stays with the user. */
function noteWhatItKnows(
  identities: Identities,
  user: string,
  { list }: Known,
  { listNumber, listHash, certificate }: LeafCertificate,
): void {
  const evidence = [certificate.bytes]
  if (listNumber > numberOf(list)) identities.note(user, { reason: 'withheld', evidence, number: listNumber })
  else if (!same(hashAt(list, listNumber), listHash)) identities.note(user, { reason: 'forked', evidence })
}

const FAIL_NEW_LEAVES: readonly Trouble['reason'][] = ['forked', 'rolled-back', 'withheld', 'no-list', 'invalid']

function requireStanding(user: string, { head, trouble }: Known, isNew: boolean, now: bigint): void {
  if (isNew && trouble && FAIL_NEW_LEAVES.includes(trouble.reason)) throw new IdentityRefused(trouble.reason, user, trouble)
  const late = overdue(head, now)
  if (late >= (isNew ? 0n : 30n * DAY)) throw new IdentityRefused('expired', user)
}
