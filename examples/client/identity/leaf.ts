import { spelling } from './keys.js'
import { activeDevice, DAY, hashAt, numberOf, orRule, same, type Held, type VerifiedList } from './list.js'
import { broken } from './refused.js'
import { decodeLeafCertificate, encodeLeafCertificate, hashOf } from './structures.js'

/** LeafNode extension `device_certificate` (docs/identity.md §4). */
export const LEAF_CERTIFICATE = 0xf1d0

/** How long a leaf may keep a certificate that its device has replaced. */
const REPLACED_FOR = 7n * DAY

/** A leaf, as far as a certificate has to fit it. */
export interface LeafKey {
  /** Client URI of the credential. */
  client: string
  scheme: number
  signatureKey: Uint8Array
}

/**
 * The certificate that a leaf carries, in the list of its user.
 * @param now seconds since 1970 @param anyHistory where a caller looks at `list_hash` itself @throws IdentityRefused with the rule that is broken
 */
export function checkLeafCertificate(
  list: VerifiedList,
  data: Uint8Array,
  leaf: LeafKey,
  now: bigint,
  { anyHistory = false }: { anyHistory?: boolean } = {},
): Held {
  const refuse = (rule: string) => broken(list.user, rule)
  const { identity, listNumber, listHash, certificate: entry } = orRule(list.user, 'device-certificate', () => decodeLeafCertificate(data))
  if (!same(identity, list.identity) || listNumber < entry.number) throw refuse('device-certificate')
  if (!same(hashAt(list, entry.number), hashOf(entry))) throw refuse('device-certificate')
  if (!anyHistory && listNumber <= numberOf(list) && !same(hashAt(list, listNumber), listHash)) throw refuse('device-certificate')
  const held = list.certificates.get(entry.number)
  if (!held || !fits(held, leaf, now)) throw refuse('device-certificate-leaf')
  if (!isCurrent(held, now)) throw refuse('device-certificate-current')
  return held
}

/** What a device's own leaf carries: its certificate, and how far it knows its user's list. undefined: it has none. */
export function leafCertificateOf(list: VerifiedList, client: string): Uint8Array | undefined {
  const own = activeDevice(list, client)
  const certificate = own && list.entries[own.number - 1]
  const listNumber = numberOf(list)
  return certificate && encodeLeafCertificate({ identity: list.identity, listNumber, listHash: hashAt(list, listNumber), certificate })
}

/** The certificate of a leaf that carries none: by its key. */
export function certificateOfLeaf(list: VerifiedList, leaf: LeafKey, now: bigint): Held | undefined {
  return [...list.certificates.values()].find((held) => fits(held, leaf, now) && isCurrent(held, now))
}

function fits({ kind, subject, keys, notBefore, notAfter }: Held, leaf: LeafKey, now: bigint): boolean {
  const wanted = spelling({ scheme: leaf.scheme, publicKey: leaf.signatureKey })
  const named = wanted !== undefined && keys.some((key) => spelling(key) === wanted)
  return kind === 'device' && subject === leaf.client && named && notBefore <= now && now <= notAfter
}

function isCurrent({ end }: Held, now: bigint): boolean {
  return !end || (end.by === 'replacement' && now <= end.time + REPLACED_FOR)
}
