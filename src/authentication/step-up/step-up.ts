import { Inject, Injectable } from '@nestjs/common'
import { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Events } from '../../platform/observability/events.js'
import { POOL, type Sql } from '../../platform/postgres/sql.js'
import { stepUpContent, stepUpLabel, type StepUpPurpose } from '../../protocol/identity/step-up.js'
import { spellingOf } from '../../protocol/identity/certificates.js'
import { activeCertificates, signerAt, type DeviceList } from '../../protocol/identity/device-list.js'
import { verifiedBy, type Signer } from '../../protocol/identity/signatures.js'
import { secondsNow } from '../../platform/timing.js'
import { canonicalKey, type SignatureKey } from '../../protocol/signature-key.js'
import { stepUpRefused } from '../authentication.events.js'
import { StepUpRequired } from '../authentication.problems.js'
import { consumeChallenge, findChallenge } from '../challenges/challenges.repository.js'
import { isSameList } from '../device-list/device-list-changes.js'
import { readListState } from '../device-list/device-lists.repository.js'
import { KnownLists } from '../device-list/known-lists.js'
import { PendingChanges } from '../device-list/pending/pending-changes.js'
import { readAges, readPending } from '../device-list/pending/pending-changes.repository.js'
import { holdAccount } from '../devices/hold-account.js'
import { hasValidKey } from '../devices/signature-keys.repository.js'
import type { Caller } from '../session/caller.js'
import type { PresentedProof } from './step-up-header.js'

/** A proof whose signature holds. What it is for is done in a transaction that begins with `StepUp.spend`. */
export interface ProvenStepUp {
  readonly purpose: StepUpPurpose
  readonly nonce: Uint8Array
  /** In canonical form. */
  readonly publicKey: Uint8Array
  /** The key is of no device. */
  readonly listed?: ListedKey | undefined
}

/** The identity key, a recovery key or a passkey of the account's list as it was read. */
interface ListedKey {
  readonly list: DeviceList
  /** Of its entry. */
  readonly number: number
}

/** What keys that are of no device may prove as well. What begins a list has none yet, and a list needs no proof for devices and keys. */
const BY_LISTED_KEYS: ReadonlySet<StepUpPurpose> = new Set(['approve-change', 'refuse-change', 'delete-account'])

/**
 * Fresh proofs for what a session token alone must not do (docs/identity.md §8). The signature is checked outside of the
 * transaction, because it costs CPU; that the key still counts and that the nonce is not spent, within it.
 */
@Injectable()
export class StepUp {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly events: Events,
    private readonly known: KnownLists,
    private readonly pending: PendingChanges,
  ) {}

  /**
   * @param subject what the operation is about, by the table of docs/identity.md §8; text in UTF-8
   * @throws StepUpRequired without a proof, and for one of another purpose, subject, client or server; that it is over is not told apart
   */
  async prove(
    caller: Caller,
    purpose: StepUpPurpose,
    subject: Uint8Array | string,
    presented: PresentedProof | undefined,
  ): Promise<ProvenStepUp> {
    const bytes = typeof subject === 'string' ? Buffer.from(subject, 'utf8') : subject
    const proven = presented && (await this.signerOf(caller, purpose, bytes, presented))
    if (proven === undefined) throw this.refusal(purpose)
    return proven
  }

  /**
   * To be called first in the transaction. It takes the account's lock, so call nothing that takes a lock before it.
   * @throws StepUpRequired if the nonce was spent or the key has ended meanwhile @throws DeviceRevoked
   */
  async spend(sql: Sql, caller: Caller, { purpose, nonce, publicKey, listed }: ProvenStepUp): Promise<void> {
    if (!(await consumeChallenge(sql, nonce, caller.client))) throw this.refusal(purpose)
    await holdAccount(sql, caller)
    const counts = listed === undefined ? await hasValidKey(sql, caller.deviceId, publicKey) : await this.hasSay(sql, caller.userId, listed)
    if (!counts) throw this.refusal(purpose)
  }

  /** Whether the list is still as it was read, and the key was in it for long enough. */
  private async hasSay(sql: Sql, accountId: bigint, { list, number }: ListedKey): Promise<boolean> {
    if (!isSameList(list, await readListState(sql, accountId))) return false
    if (number === 1) return true
    const ages = await readAges(sql, accountId, list.identity)
    return !this.pending.seniority(list, ages, await readPending(sql, accountId)).isYoung(number)
  }

  /** The proof with the key that made it; undefined if it does not hold. */
  private async signerOf(
    { client, user, userId }: Caller,
    purpose: StepUpPurpose,
    subject: Uint8Array,
    presented: PresentedProof,
  ): Promise<ProvenStepUp | undefined> {
    const key = canonicalKey(presented.key)
    const challenge = await findChallenge(this.pool, presented.nonce, client)
    if (key === undefined || challenge?.purpose !== purpose) return undefined
    const known = BY_LISTED_KEYS.has(purpose) ? await this.known.of(user, userId) : undefined
    const listed = known && listedKey(known.list, key)
    const content = stepUpContent({
      domain: this.config.DOMAIN,
      client,
      nonce: presented.nonce,
      expiresAt: BigInt(Math.floor(challenge.expiresAt.getTime() / 1000)),
      subject,
    })
    const holds = await verifiedBy(listed?.signer ?? { key }, stepUpLabel(purpose), content, presented.proof)
    return holds ? { purpose, nonce: presented.nonce, publicKey: key.publicKey, listed } : undefined
  }

  private refusal(purpose: StepUpPurpose): StepUpRequired {
    stepUpRefused(this.events, { purpose })
    return new StepUpRequired(purpose)
  }
}

function listedKey(list: DeviceList, key: SignatureKey): (ListedKey & { signer: Signer }) | undefined {
  const spelling = spellingOf(key)
  const others = activeCertificates(list).filter(({ kind }) => kind !== 'device')
  for (const number of [1, ...others.map((one) => one.number)]) {
    const signer = signerAt(list, number, secondsNow())
    if (signer !== undefined && spellingOf(signer.key) === spelling) return { list, number, signer }
  }
  return undefined
}
