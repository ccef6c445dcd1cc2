import { TooLarge } from '../../platform/http/problem.js'
import { numberOf, type DescribedLimit } from '../../platform/limits/described-limit.js'
import type { Sql } from '../../platform/postgres/sql.js'
import { isRecoverySigner, lastNumber, type Certified, type DeviceList } from '../../protocol/identity/device-list.js'
import type { ListKey } from '../../protocol/identity/entry.js'
import { canonicalKey } from '../../protocol/signature-key.js'
import { DeviceListChanged } from '../authentication.problems.js'
import {
  bytesOfList,
  endCertificates,
  insertCertificates,
  insertEntries,
  type CertifiableDevice,
  type WrittenCertificate,
  type WrittenEnd,
} from './device-lists.repository.js'
import { changeOfList } from './list-change.js'

/** Row of docs/limits.md. */
export const DEVICE_LIST_BYTES = {
  name: 'device-list-bytes',
  holder: 'account',
  what: 'bytes of all entries of a device list; certificates fill three quarters of it, those by recovery signers seven eighths',
  value: 1_048_576,
  refusal: '413',
} as const satisfies DescribedLimit

/** The end of the year 9999: what PostgreSQL and Date can both hold. */
const LAST_SECOND = 253_402_300_799n

/** Entries, and what they say of certificates. @param devices the active ones of the account @throws DeviceListChanged, TooLarge */
export async function writeEntries(
  sql: Sql,
  accountId: bigint,
  {
    before,
    after,
    entries,
  }: { readonly before: DeviceList | undefined; readonly after: DeviceList; readonly entries: readonly Uint8Array[] },
  devices: readonly CertifiableDevice[],
): Promise<void> {
  const known = before === undefined ? 0 : lastNumber(before)
  const { added, ended } = changeOfList(before, after)
  const numbered = entries.map((bytes, index) => ({ number: known + 1 + index, bytes }))
  // Only an identity that the account had before could have them.
  if (!(await insertEntries(sql, accountId, after.identity, numbered))) throw new DeviceListChanged(known)
  await requireRoom(sql, accountId, after, added)
  const ids = new Map(devices.map(({ client, deviceId }) => [client, deviceId]))
  await insertCertificates(
    sql,
    accountId,
    after.identity,
    added.map((certificate) => writtenCertificate(certificate, ids)),
  )
  await endCertificates(sql, accountId, after.identity, ended.flatMap(writtenEnd))
}

/** Of the bytes, too, a part is kept for recovery signers, and one for revocations, as docs/identity.md §2 says. @throws TooLarge */
async function requireRoom(sql: Sql, accountId: bigint, list: DeviceList, added: readonly Certified[]): Promise<void> {
  const limit = numberOf(DEVICE_LIST_BYTES)
  const byRecovery = added.every(({ signer, certifiedAt }) => isRecoverySigner(list, signer, certifiedAt))
  const eighths = added.length === 0 ? 8 : byRecovery ? 7 : 6
  if ((await bytesOfList(sql, accountId, list.identity)) > (limit * eighths) / 8)
    throw new TooLarge('The device list has become too large.', limit)
}

function writtenCertificate({ subject, ...certificate }: Certified, ids: ReadonlyMap<string, bigint>): WrittenCertificate {
  const { number, signer, kind, rights, notBefore, notAfter, keys } = certificate
  const deviceId = kind === 'device' ? ids.get(subject) : undefined
  const holderKey = kind === 'device' ? undefined : canonicalOf(keys[0])
  const rpId = kind === 'passkey' ? subject : undefined
  return { number, signer, kind, rights, deviceId, notBefore: dateOf(notBefore), notAfter: dateOf(notAfter), holderKey, rpId }
}

/** undefined for no key, and for what is none. */
export function canonicalOf(key: ListKey | undefined): Uint8Array | undefined {
  return key && canonicalKey(key.publicKey)?.publicKey
}

function writtenEnd({ number, end }: Certified): WrittenEnd[] {
  return end === undefined ? [] : [{ number, ended: end.number, endedAt: dateOf(end.time), replaced: end.by === 'replacement' }]
}

/** @param seconds since 1970 */
export function dateOf(seconds: bigint): Date {
  return new Date(Number(seconds < LAST_SECOND ? seconds : LAST_SECOND) * 1000)
}
