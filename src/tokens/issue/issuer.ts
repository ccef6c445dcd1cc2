import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Undecodable } from '../../platform/http/problem.js'
import type { DescribedLimit } from '../../platform/limits/described-limit.js'
import { Limits } from '../../platform/limits/limits.js'
import { POOL } from '../../platform/postgres/sql.js'
import {
  decodeBatchRequest,
  decodeTokenRequest,
  encodeBatchResponse,
  MODULUS_BYTES,
  type TokenRequest,
} from '../../protocol/privacy-pass/issuance.js'
import type { Decoded } from '../../protocol/tls/reader.js'
import { IssuerKeys, type IssuerKey } from '../keys/issuer-keys.js'
import { BatchSize, QuotaExceeded, TokenKeyUnknown } from '../tokens.problems.js'
import { countTokens, keepAnswer, type Batch, type Counted } from './quotas.repository.js'
import { TokenSigner } from './token-signer.js'
import { sha256 } from '../../protocol/sha256.js'

/** Who gets the tokens, and how many of one key. */
export interface Holder {
  /** A local user by URI, or another provider by its domain. */
  readonly name: string
  readonly quota: number
  /** Requests a minute, by name of the limit. */
  readonly requests: DescribedLimit & { readonly value: number }
  /** Answers that are kept for repeats. */
  readonly kept: number
}

/** Signs tokens without seeing them (RFC 9578 §6). The same request gets the same signatures, and counts once. */
@Injectable()
export class Issuer {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN' | 'TOKENS_PER_BATCH'>,
    private readonly limits: Limits,
    private readonly keys: IssuerKeys,
    private readonly signer: TokenSigner,
  ) {}

  /** One token; the answer is a TokenResponse. */
  async issueOne(holder: Holder, body: Uint8Array): Promise<Uint8Array> {
    const request = decoded(decodeTokenRequest(body))
    const [signature] = await this.sign(holder, [request], body)
    return signature ?? new Uint8Array()
  }

  /** A batch of the one size that all batches have; the answer is a BatchTokenResponse. */
  async issueBatch(holder: Holder, body: Uint8Array): Promise<Uint8Array> {
    const { TOKENS_PER_BATCH: size } = this.config
    const requests = decoded(decodeBatchRequest(body, size))
    if (requests.length !== size) throw new BatchSize(size)
    return encodeBatchResponse(await this.sign(holder, requests, body))
  }

  private async sign(holder: Holder, requests: readonly TokenRequest[], body: Uint8Array): Promise<Uint8Array[]> {
    const { name, requests: limit } = holder
    await this.limits.take({ name: limit.name, points: limit.value, seconds: 60 }, name)
    const key = keyFor(requests, await this.keys.all())
    const requestHash = sha256(body)
    const batch = { issuer: this.config.DOMAIN, keyId: key.keyId, holder: name, requestHash, tokens: requests.length }
    const counted = await this.count(batch, holder, key)
    const answer = counted.kept ?? (await this.signer.inTurn(name, () => this.answer(counted, batch, holder, key, requests)))
    return requests.map((_, at) => answer.subarray(at * MODULUS_BYTES, (at + 1) * MODULUS_BYTES))
  }

  private async count(batch: Batch, { quota }: Holder, key: IssuerKey): Promise<Counted> {
    const counted = await countTokens(this.pool, batch, quota, key.redeemsUntil)
    if (counted.outcome === 'exceeded') throw new QuotaExceeded(key.issuesUntil)
    return counted
  }

  /** In the holder's turn: of a batch that comes many times at once one is signed, and the others find its answer. */
  private async answer(
    counted: Counted,
    batch: Batch,
    holder: Holder,
    key: IssuerKey,
    requests: readonly TokenRequest[],
  ): Promise<Uint8Array> {
    if (counted.outcome === 'repeated') {
      const { kept } = await this.count(batch, holder, key)
      if (kept) return kept
      this.signer.permitAgain(holder.name)
    }
    const answer = await this.signer.sign(key, Buffer.concat(requests.map(({ blindedMessage }) => blindedMessage)))
    await keepAnswer(this.pool, batch, answer, holder.kept)
    return answer
  }
}

/** All tokens of a batch are of one key, which signs now. */
function keyFor(requests: readonly TokenRequest[], keys: readonly IssuerKey[]): IssuerKey {
  const key = keys.findLast(({ issues, truncatedId }) => issues && truncatedId === requests[0]?.truncatedKeyId)
  if (!key || requests.some(({ truncatedKeyId }) => truncatedKeyId !== key.truncatedId)) throw new TokenKeyUnknown()
  return key
}

function decoded<T>(outcome: Decoded<T>): T {
  if (outcome.kind === 'malformed') throw new Undecodable(`The request for tokens is malformed: ${outcome.reason}.`)
  return outcome.value
}
