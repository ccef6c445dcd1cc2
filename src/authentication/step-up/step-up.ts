import { Inject, Injectable } from '@nestjs/common'
import { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Events } from '../../platform/observability/events.js'
import { POOL, type Sql } from '../../platform/postgres/sql.js'
import { stepUpContent, stepUpLabel, type StepUpPurpose } from '../../protocol/identity/step-up.js'
import { verifyWithLabel } from '../../protocol/mls/signature.js'
import { canonicalKey } from '../../protocol/signature-key.js'
import { stepUpRefused } from '../authentication.events.js'
import { StepUpRequired } from '../authentication.problems.js'
import { consumeChallenge, findChallenge } from '../challenges/challenges.repository.js'
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
}

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
    const publicKey = presented === undefined ? undefined : await this.signerOf(caller.client, purpose, bytes, presented)
    if (presented === undefined || publicKey === undefined) throw this.refusal(purpose)
    return { purpose, nonce: presented.nonce, publicKey }
  }

  /**
   * To be called first in the transaction. It takes the account's lock, so call nothing that takes a lock before it.
   * @throws StepUpRequired if the nonce was spent or the key has ended meanwhile @throws DeviceRevoked
   */
  async spend(sql: Sql, caller: Caller, { purpose, nonce, publicKey }: ProvenStepUp): Promise<void> {
    if (!(await consumeChallenge(sql, nonce, caller.client))) throw this.refusal(purpose)
    await holdAccount(sql, caller)
    if (!(await hasValidKey(sql, caller.deviceId, publicKey))) throw this.refusal(purpose)
  }

  /** The key that made the proof; undefined if the proof does not hold. */
  private async signerOf(
    client: string,
    purpose: StepUpPurpose,
    subject: Uint8Array,
    presented: PresentedProof,
  ): Promise<Uint8Array | undefined> {
    const key = canonicalKey(presented.key)
    const challenge = await findChallenge(this.pool, presented.nonce, client)
    if (key === undefined || challenge?.purpose !== purpose) return undefined
    const content = stepUpContent({
      domain: this.config.DOMAIN,
      client,
      nonce: presented.nonce,
      expiresAt: BigInt(Math.floor(challenge.expiresAt.getTime() / 1000)),
      subject,
    })
    return (await verifyWithLabel(key.scheme, key.publicKey, stepUpLabel(purpose), content, presented.proof)) ? key.publicKey : undefined
  }

  private refusal(purpose: StepUpPurpose): StepUpRequired {
    stepUpRefused(this.events, { purpose })
    return new StepUpRequired(purpose)
  }
}
