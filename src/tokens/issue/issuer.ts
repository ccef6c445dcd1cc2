import { createHash } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Undecodable } from '../../platform/http/problem.js'
import { Limits, type Limit } from '../../platform/limits/limits.js'
import { Events } from '../../platform/observability/events.js'
import { POOL } from '../../platform/postgres/sql.js'
import {
  blindSign,
  decodeBatchRequest,
  decodeTokenRequest,
  encodeBatchResponse,
  type TokenRequest,
} from '../../protocol/privacy-pass/issuance.js'
import type { Decoded } from '../../protocol/tls/reader.js'
import { IssuerKeys, type IssuerKey } from '../keys/issuer-keys.js'
import { tokensIssued } from '../tokens.events.js'
import { BatchSize, QuotaExceeded, TokenKeyUnknown } from '../tokens.problems.js'
import { countTokens } from './quotas.repository.js'

/** Signatures between two looks at what else there is to do: some 2 ms. */
const SIGNATURES_PER_TURN = 6

/** For whom tokens are, and how many they may have of one key. */
export interface Holder {
  /** A user of ours by URI, or another provider by its domain. */
  readonly name: string
  readonly quota: number
  /** Of requests: the same one again counts for nothing, but costs as much. */
  readonly limit: Limit
}

/** Signs tokens without seeing them (RFC 9578 §6). The same request gets the same signatures, and counts once. */
@Injectable()
export class Issuer {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN' | 'TOKENS_PER_BATCH'>,
    private readonly limits: Limits,
    private readonly keys: IssuerKeys,
    private readonly events: Events,
  ) {}

  /** One token; the answer is a TokenResponse. */
  async issueOne(holder: Holder, body: Uint8Array): Promise<Uint8Array> {
    const request = decoded(decodeTokenRequest(body))
    const [signature] = await this.sign(holder, [request], body)
    return signature ?? new Uint8Array()
  }

  /** A batch of the size that is everyone's; the answer is a BatchTokenResponse. */
  async issueBatch(holder: Holder, body: Uint8Array): Promise<Uint8Array> {
    const { TOKENS_PER_BATCH: size } = this.config
    const requests = decoded(decodeBatchRequest(body, size))
    if (requests.length !== size) throw new BatchSize(size)
    return encodeBatchResponse(await this.sign(holder, requests, body))
  }

  private async sign({ name, quota, limit }: Holder, requests: readonly TokenRequest[], body: Uint8Array): Promise<Uint8Array[]> {
    await this.limits.take(limit, name)
    const key = keyFor(requests, await this.keys.all())
    const requestHash = createHash('sha256').update(body).digest()
    const batch = { issuer: this.config.DOMAIN, keyId: key.keyId, holder: name, requestHash, tokens: requests.length }
    if (!(await countTokens(this.pool, batch, quota, key.redeemsUntil))) throw new QuotaExceeded(key.issuesUntil)
    const signatures = await blindSignatures(key, requests)
    tokensIssued(this.events, requests.length)
    return signatures
  }
}

/** All tokens of a batch are of one key, which signs now. */
function keyFor(requests: readonly TokenRequest[], keys: readonly IssuerKey[]): IssuerKey {
  const key = keys.findLast(({ issues, truncatedId }) => issues && truncatedId === requests[0]?.truncatedKeyId)
  if (!key || requests.some(({ truncatedKeyId }) => truncatedKeyId !== key.truncatedId)) throw new TokenKeyUnknown()
  return key
}

async function blindSignatures({ privateKey }: IssuerKey, requests: readonly TokenRequest[]): Promise<Uint8Array[]> {
  const signatures: Uint8Array[] = []
  for (const { blindedMessage } of requests) {
    const signature = blindSign(privateKey, blindedMessage)
    if (!signature) throw new Undecodable('A blinded message is not below the modulus.')
    signatures.push(signature)
    if (signatures.length % SIGNATURES_PER_TURN === 0) await nextTurn()
  }
  return signatures
}

function decoded<T>(outcome: Decoded<T>): T {
  if (outcome.kind === 'malformed') throw new Undecodable(`The request for tokens is malformed: ${outcome.reason}.`)
  return outcome.value
}
