import type { Device } from '../device.js'
import { ServerProblem } from '../http.js'
import { hashAt, numberOf } from './list.js'
import { decodeEntry, hashOf } from './structures.js'

// For an account that was there before it had a device list (docs/identity.md §10).

/**
 * This device begins the identity of its user: it certifies itself, which its session alone does not permit. Other devices stay as they are
 * until they are certified (`certifyDevice`).
 * @param words 24 words that the user has written down, for a recovery key
 * @throws ServerProblem `device-list-changed` if another device was first: it can certify this one
 */
export async function beginIdentity(device: Device, words?: string): Promise<void> {
  const { record, own, proofs, http } = device
  // What was signed may be at the server already, if its answer was lost.
  const list = (record.signed ??= await own.begin(words))
  const last = list.entries.at(-1) ?? new Uint8Array()
  try {
    await proofs.steppedUp('begin-identity', hashOf(decodeEntry(last)), (field) => http.post('/v1/device-list', list, field))
  } catch (error) {
    const taken = error instanceof ServerProblem && error.kind === 'device-list-changed' && (await isBegunSo(device, last))
    if (error instanceof ServerProblem && error.status < 500) delete record.signed
    if (!taken) throw error
  }
  delete record.signed
  own.accepted(list)
  await isCertifiedNow(device)
}

/** Whether the list that the server has goes to this entry. Nothing of it is kept. */
async function isBegunSo({ identities, record }: Device, last: Uint8Array): Promise<boolean> {
  const shown = await identities.shown(record.user)
  return shown !== undefined && Buffer.compare(hashAt(shown, numberOf(shown)), hashOf(decodeEntry(last))) === 0
}

/** One of the user's registered devices certifies another one, which brings proofs of its keys, and the list goes from hand to hand. */
export async function certifyDevice(by: Device, other: Device): Promise<void> {
  await by.own.certify(other.client, await other.own.possess(by.own.kept.list.identity))
  handOver(by, other)
  await isCertifiedNow(other)
}

/** The own list from hand to hand: another device of the user need not believe the server who its user is. */
export function handOver({ record }: Device, other: Device): void {
  const pin = record.pins.get(record.user)
  if (pin) other.identities.take(record.user, pin.entries, pin.head)
  other.own.markSeen()
}

/** KeyPackages from before have no certificate, and certified groups do not take them. The keys stay: a Welcome may be on its way. */
async function isCertifiedNow(device: Device): Promise<void> {
  device.record.certified = true
  await device.http.delete('/v1/key-packages')
  await device.publishKeyPackages(20)
}
