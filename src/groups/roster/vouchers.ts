import { secondsNow } from '../../platform/timing.js'
import type { Sql } from '../../platform/postgres/sql.js'
import { decodeEntry, type DeviceListEntry } from '../../protocol/identity/entry.js'
import { certificateOf, type DeviceList } from '../../protocol/identity/device-list.js'
import { extendList } from '../../protocol/identity/list.js'
import { parseClientUri, userUri } from '../../protocol/identifiers.js'
import type { Standing } from '../access/access.repository.js'
import { presentNamed, readOwnList } from './certificates.repository.js'

/** By whom a device that wants in is certified. */
export interface Vouchers {
  /** Number of its active certificate. */
  readonly certificate: number
  /** Client URIs of the devices that it hangs from, one of which has a leaf. */
  readonly clients: readonly string[]
}

interface Joining {
  client: string
  deviceId: bigint
  userId: bigint
}

/**
 * The devices whose certificates a device's own hangs from (`signer`, docs/identity.md §4), if one of them is a member. Asked only where that can
 * decide: of a user with another device in the group.
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
  if (kept.certificate !== null) return hangingFrom(kept.entries, kept.certificate)
  const list = kept.foreign ? await foreignList(client, kept.entries) : undefined
  const certificate = list && certificateOf(list, client)
  return certificate && hangingFrom(kept.entries, certificate.number)
}

/** What another provider gave was checked when it was fetched; which certificates are active shows only in the whole. */
async function foreignList(client: string, entries: readonly Uint8Array[]): Promise<DeviceList | undefined> {
  const parsed = parseClientUri(client)
  const now = secondsNow()
  const list = parsed && (await extendList(userUri(parsed), undefined, entries, now))
  return list?.kind === 'valid' ? list.value : undefined
}

/** @param entries entry i + 1 at i, of a list that was accepted */
function hangingFrom(entries: readonly Uint8Array[], certificate: number): Vouchers {
  const clients: string[] = []
  const own = entryAt(entries, certificate)
  for (let at = own?.signer; at !== undefined && at > 1;) {
    const entry = entryAt(entries, at)
    if (entry?.body.type === 'certificate' && entry.body.certificate.kind === 'device') clients.push(entry.body.certificate.subject)
    // A signer comes before what it signs; anything else would walk in circles.
    at = entry !== undefined && entry.signer < at ? entry.signer : undefined
  }
  return { certificate, clients: [...new Set(clients)] }
}

function entryAt(entries: readonly Uint8Array[], number: number): DeviceListEntry | undefined {
  const bytes = entries[number - 1]
  const decoded = bytes && decodeEntry(bytes)
  return decoded?.kind === 'decoded' ? decoded.value : undefined
}
