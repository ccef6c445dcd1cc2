import type { Device } from '../device.js'
import { ServerProblem } from '../http.js'
import type { SigningKey } from './keys.js'
import { hashAt, numberOf, orRule, readHead, readList, type VerifiedList } from './list.js'
import { decodeEntry } from './structures.js'

/** A change of the own list that waits (docs/identity.md §7): a client shows what it does, and asks its user. */
export interface WaitingChange {
  /** The list as it would be. */
  list: VerifiedList
  /** Seconds since 1970. */
  effectiveAt: number
}

interface PendingAnswer {
  entries: Uint8Array[]
  head: Uint8Array
  effective_at: number
}

/** @returns undefined if nothing waits @throws IdentityRefused if what the server shows does not follow the own list */
export async function waitingChange({ http, identities, record, own }: Device): Promise<WaitingChange | undefined> {
  try {
    const { entries, head, effective_at: effectiveAt } = await http.get<PendingAnswer>('/v1/device-list/pending')
    // Another device may have changed the list since this one read it, and the change comes after that.
    await identities.of(record.user, { atLeast: firstNumber(record.user, entries) - 1 })
    const list = readList(record.user, entries, identities.time, own.kept.list)
    readHead(list, head, identities.time)
    return { list, effectiveAt }
  } catch (error) {
    // A server of the release before lets nothing wait.
    if (error instanceof ServerProblem && error.status === 404) return undefined
    throw error
  }
}

/** It never takes effect. @param key as for `approveChange` */
export async function refuseChange({ proofs, http }: Device, { list }: WaitingChange, key?: SigningKey): Promise<void> {
  await proofs.steppedUp('refuse-change', lastHash(list), (field) => http.delete('/v1/device-list/pending', field), key)
}

/** It takes effect at once. @param key another key of the list than the device's, such as that of the words (`recoveryKey`) or a passkey (`passkeyKey`) */
export async function approveChange(
  { proofs, http, identities, record }: Device,
  { list }: WaitingChange,
  key?: SigningKey,
): Promise<void> {
  await proofs.steppedUp('approve-change', lastHash(list), (field) => http.post('/v1/device-list/pending/approval', {}, field), key)
  await identities.of(record.user, { fresh: true })
}

function firstNumber(user: string, entries: readonly Uint8Array[]): number {
  return orRule(user, 'entry-encoding', () => decodeEntry(entries[0] ?? new Uint8Array())).number
}

/** By the entries, not by what the server says of them. */
const lastHash = (list: VerifiedList): Uint8Array => hashAt(list, numberOf(list))
