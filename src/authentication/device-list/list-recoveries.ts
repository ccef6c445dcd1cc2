import { generateKeyPairSync } from 'node:crypto'
import { Inject, Injectable } from '@nestjs/common'
import { Pool } from 'pg'
import { POOL, transaction } from '../../platform/postgres/sql.js'
import { parseClientUri, userUri } from '../../protocol/identifiers.js'
import { signerAt } from '../../protocol/identity/device-list.js'
import { decodeEntry, ENTRY_LABEL, type ListKey } from '../../protocol/identity/entry.js'
import { verifiedBy } from '../../protocol/identity/signatures.js'
import { signaturePublicKey } from '../../protocol/mls/signature.js'
import { canonicalKey, type SignatureKey } from '../../protocol/signature-key.js'
import { DeviceListChanged, InvalidDeviceList, LoginRefused, RegistrationRefused } from '../authentication.problems.js'
import { Challenges } from '../challenges/challenges.js'
import { consumeChallenge } from '../challenges/challenges.repository.js'
import { DeviceListChanges, type PreparedChange } from './device-list-changes.js'
import type { DeviceListPage, DeviceListUpdate, ListRecovery } from './device-list.dto.js'
import { DeviceLists } from './device-lists.js'
import { findListHolders, type ListHolder } from './holders.repository.js'
import { secondsNow } from '../../platform/timing.js'

/** A holder whose key is known. */
interface KnownHolder extends Omit<ListHolder, 'publicKey'> {
  readonly key: ListKey
}

/** Stands for the key of a holder that there is not: a signature takes as long to be refused. */
const NOBODY: ListKey = canonicalKeyOf(signaturePublicKey(generateKeyPairSync('ed25519').publicKey))

/**
 * What holders of keys do that are no device and so have no session: recovery keys, passkeys, and the identity key. A caller that has none of them gets
 * one and the same answer, whether there is such a user or not, and makes the server verify no list: the keys are stored beside it.
 */
@Injectable()
export class ListRecoveries {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly challenges: Challenges,
    private readonly lists: DeviceLists,
    private readonly changes: DeviceListChanges,
  ) {}

  /** @throws LoginRefused */
  async list({ client, nonce, public_key: publicKey, proof, rp_id: rpId }: ListRecovery): Promise<DeviceListPage> {
    const [key] = (await this.challenges.proven({ purpose: 'login', client, nonce }, [{ publicKey, proof, rpId }])) ?? []
    if (key === undefined) throw new LoginRefused()
    const user = userOf(client)
    const holders = await this.holdersOf(user)
    if (!holders.some((holder) => isSame(holder.key, key) && (holder.rpId ?? undefined) === rpId)) throw new LoginRefused()
    const spent = await transaction(this.pool, (sql) => consumeChallenge(sql, nonce, client))
    if (!spent) throw new LoginRefused()
    return this.lists.read({ user, from: 1 })
  }

  /**
   * The certificate of a new device for an account that exists, by a key that is of no device.
   * @throws RegistrationRefused for all that can be wrong, RateLimited
   */
  async prepare(user: string, update: DeviceListUpdate): Promise<{ accountId: bigint; change: PreparedChange }> {
    const accountId = await this.signedFor(user, update)
    if (accountId === undefined) throw new RegistrationRefused()
    // Only who holds the key is counted: entries of the list that are sent once more do not get here.
    await this.changes.take(user)
    const change = await this.changes.prepare(user, accountId, update).catch((error: unknown) => {
      throw error instanceof InvalidDeviceList || error instanceof DeviceListChanged ? new RegistrationRefused() : error
    })
    return { accountId, change }
  }

  /** The account of a user, if it has a key of no device that has signed the one entry, and the entry is the next one of its list. */
  private async signedFor(user: string, { entries }: DeviceListUpdate): Promise<bigint | undefined> {
    const [bytes, more] = entries
    const decoded = decodeEntry(bytes ?? new Uint8Array())
    if (decoded.kind === 'malformed' || more !== undefined) return undefined
    const { signer, number, previous, signed, signature } = decoded.value
    const holder = (await this.holdersOf(user)).find((one) => one.number === signer)
    const verified = await verifiedBy({ key: holder?.key ?? NOBODY, rpId: holder?.rpId ?? undefined }, ENTRY_LABEL, signed, signature)
    const isNext = holder !== undefined && number === holder.last + 1 && Buffer.compare(previous, holder.hash) === 0
    return verified && isNext ? holder.accountId : undefined
  }

  private async holdersOf(user: string): Promise<KnownHolder[]> {
    const found = await findListHolders(this.pool, user)
    const missing = found.find(({ publicKey }) => publicKey === null)
    // The release before stored no keys: such a list is verified, and kept.
    const known = missing === undefined ? undefined : await this.changes.current(user, missing.accountId)
    return found.flatMap(({ publicKey, ...holder }) => {
      const signer = known && signerAt(known.list, holder.number, secondsNow())
      const key = publicKey === null ? signer?.key : canonicalKeyOf(publicKey)
      return key === undefined ? [] : [{ ...holder, key, rpId: holder.rpId ?? signer?.rpId ?? null }]
    })
  }
}

function userOf(client: string): string {
  const parsed = parseClientUri(client)
  if (parsed === undefined) throw new LoginRefused()
  return userUri(parsed)
}

function canonicalKeyOf(publicKey: Uint8Array): SignatureKey {
  const key = canonicalKey(publicKey)
  if (key === undefined) throw new Error('A key that was stored is none')
  return key
}

function isSame(a: ListKey, b: SignatureKey): boolean {
  return Buffer.compare(canonicalKeyOf(a.publicKey).publicKey, b.publicKey) === 0
}
