import { secondsNow } from '../../platform/timing.js'
import type { Sql } from '../../platform/postgres/sql.js'
import { decodeEntry, type DeviceCertificate, type DeviceListEntry } from '../../protocol/identity/entry.js'
import type { Standing } from '../access/access.repository.js'
import { presentNamed, readOwnList } from './certificates.repository.js'

/** By whom a device that wants in is certified. */
export interface Vouchers {
  /** Number of its active certificate. */
  readonly certificate: number
  /** Client URIs of devices, one of which has a leaf: those that it hangs from, or all of this identity where words or a passkey will do. */
  readonly clients: readonly string[]
}

interface Joining {
  client: string
  deviceId: bigint
  userId: bigint
}

/**
 * The devices whose certificates a device's own hangs from (`signer`, docs/identity.md §4), if one of them is a member; all devices of the list, if
 * it hangs from a recovery key or a passkey of the identity key. Asked only where that can decide: of a user with another device in the group.
 */
export async function vouchersOf(
  sql: Sql,
  gid: bigint,
  joining: Joining,
  { policy, present, member, leaving }: Pick<Standing, 'policy' | 'present' | 'member' | 'leaving'>,
): Promise<Vouchers | undefined> {
  if (!present || member !== undefined || leaving || policy.externalJoin === 'none' || policy.externalJoin === 'open') return undefined
  const chain = await chainOf(sql, joining)
  if (chain === undefined) return undefined
  const members = await presentNamed(sql, gid, chain.clients)
  return members.length > 0 ? chain : undefined
}

async function chainOf(sql: Sql, { client, deviceId, userId }: Joining): Promise<Vouchers | undefined> {
  const kept = await readOwnList(sql, userId, deviceId)
  if (kept === undefined) return undefined
  const certificate = kept.ends === null ? kept.certificate : activeIn(kept.entries, kept.ends, client)
  return certificate === null ? undefined : hangingFrom(kept.entries, certificate, client)
}

/** Number of a device's certificate that has not ended and is valid now: a list has one at most. @param ends see `OwnList` */
function activeIn(entries: readonly Uint8Array[], ends: readonly (number | null)[], client: string): number | null {
  const now = secondsNow()
  const index = ends.findIndex((end, at) => {
    const body = end === null ? entryAt(entries, at + 1)?.body : undefined
    if (body?.type !== 'certificate') return false
    const { kind, subject, notBefore, notAfter } = body.certificate
    return kind === 'device' && subject === client && notBefore <= now && now <= notAfter
  })
  return index === -1 ? null : index + 1
}

/** @param entries entry i + 1 at i, of a list that was accepted */
function hangingFrom(entries: readonly Uint8Array[], certificate: number, client: string): Vouchers {
  const issuers = issuersOf(entries, certificate)
  const others = issuers.filter(({ held }) => held.kind !== 'device' || held.subject !== client)
  // What another device has certified counts by that device's leaf alone: who has the device may have put words of its own into the list.
  const byDevice = others.findIndex(({ held }) => held.kind === 'device')
  const before = byDevice === -1 ? others : others.slice(0, byDevice)
  const recovered = before.some(({ held, signer }) => held.kind !== 'device' && signer === 1)
  const vouching = recovered ? entries.flatMap((_, at) => certificateAt(entries, at + 1) ?? []) : others
  const clients = vouching.filter(({ held }) => held.kind === 'device' && held.subject !== client).map(({ held }) => held.subject)
  return { certificate, clients: [...new Set(clients)] }
}

/** A certificate, and the number of the entry that signs it. */
interface Certified {
  held: DeviceCertificate
  signer: number
}

/** The certificates from which one hangs, the nearest first. */
function issuersOf(entries: readonly Uint8Array[], certificate: number): Certified[] {
  const issuers: Certified[] = []
  for (let number = certificate, at = certificateAt(entries, number); at !== undefined;) {
    // A signer comes before what it signs; anything else would walk in circles.
    if (at.signer >= number) break
    number = at.signer
    at = certificateAt(entries, number)
    if (at) issuers.push(at)
  }
  return issuers
}

function certificateAt(entries: readonly Uint8Array[], number: number): Certified | undefined {
  const entry = entryAt(entries, number)
  return entry?.body.type === 'certificate' ? { held: entry.body.certificate, signer: entry.signer } : undefined
}

function entryAt(entries: readonly Uint8Array[], number: number): DeviceListEntry | undefined {
  const bytes = entries[number - 1]
  const decoded = bytes && decodeEntry(bytes)
  return decoded?.kind === 'decoded' ? decoded.value : undefined
}
