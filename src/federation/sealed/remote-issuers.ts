import { Inject, Injectable, type OnModuleInit } from '@nestjs/common'
import type { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { InvalidRequest } from '../../platform/http/problem.js'
import { Jobs } from '../../platform/jobs/jobs.js'
import { Events } from '../../platform/observability/events.js'
import { POOL, transaction } from '../../platform/postgres/sql.js'
import { isProviderDomain } from '../../protocol/identifiers.js'
import { readCbor } from '../../protocol/strict-cbor.js'
import { IssuerDirectory, REQUEST_URI } from '../../tokens/issue/issuer-directory.js'
import type { OtherIssuers } from '../../tokens/issue/attester.js'
import { issuerKeysRefused } from '../federation.events.js'
import type { Endpoint } from '../identity/endpoints.js'
import { SignedClient } from '../outbound/signed-client.js'
import { HubBadResponse, hubProblem } from '../peer-problems.js'
import { COPY_MS, judgeIssuerKeys, keysOf, type IssuerKeyPin } from './judge-issuer-keys.js'
import { SharedCopies } from './shared-copies.js'
import {
  forgetIssuers,
  issuersInUse,
  lockIssuer,
  noteIssuerRefusal,
  noteIssuerUse,
  readIssuer,
  storeIssuer,
  type TokenIssuer,
} from './token-issuers.repository.js'

const BLIND_RSA = 2
const MOST_REFRESHED = 1_000
const AT_ONCE = 8

/**
 * The token issuers of hubs, asked on behalf of local users without naming them. All users get the same keys: those that were announced in time,
 * whatever the hub shows now (`judgeIssuerKeys`).
 */
@Injectable()
export class RemoteIssuers implements OtherIssuers, OnModuleInit {
  private readonly copies = new SharedCopies(COPY_MS, (issuer) => this.fetch(issuer))

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'FEDERATION'>,
    private readonly client: SignedClient,
    private readonly jobs: Jobs,
    private readonly events: Events,
  ) {}

  onModuleInit(): void {
    if (this.config.FEDERATION !== 'off') this.jobs.every('federation.token_issuers_v1', COPY_MS, () => this.refresh())
  }

  async directory(issuer: string): Promise<IssuerDirectory> {
    const directory = await this.copies.of(issuer)
    await noteIssuerUse(this.pool, issuer)
    return directory
  }

  issue(issuer: string, batch: Uint8Array): Promise<Uint8Array> {
    return this.ask(issuer, 'issueTokens', batch)
  }

  /** Looks at issuers that users ask for, so that no announcement is missed. One that does not answer is asked the next time. */
  async refresh(): Promise<void> {
    const waiting = [...(await issuersInUse(this.pool, MOST_REFRESHED))]
    // Several at a time: one that does not answer must not keep the others from being looked at in time.
    const look = async () => {
      for (let issuer = waiting.shift(); issuer !== undefined; issuer = waiting.shift()) await this.fetch(issuer).catch(() => undefined)
    }
    await Promise.all(Array.from({ length: AT_ONCE }, look))
    await forgetIssuers(this.pool)
  }

  private async fetch(issuer: string): Promise<IssuerDirectory> {
    const parsed = IssuerDirectory.safeParse(readCbor(await this.ask(issuer, 'tokenDirectory', new Uint8Array())))
    if (!parsed.success) throw new HubBadResponse()
    const shown = { keys: pinsOf(parsed.data), batchSize: parsed.data['batch-size'] }
    const { keys, batchSize } = await this.believed(issuer, shown)
    if (keys.length === 0) throw new HubBadResponse()
    return { 'issuer-request-uri': REQUEST_URI, 'token-keys': keysOf(keys, now()).map(described), 'batch-size': batchSize }
  }

  private believed(issuer: string, shown: TokenIssuer): Promise<TokenIssuer> {
    return transaction(this.pool, async (sql) => {
      await lockIssuer(sql, issuer)
      const known = await readIssuer(sql, issuer)
      const verdict = judgeIssuerKeys(known?.keys ?? [], shown.keys, now())
      if (verdict.kind === 'refused') {
        if (!known || (await noteIssuerRefusal(sql, issuer, verdict.why))) issuerKeysRefused(this.events, verdict.why)
        return known ?? { keys: [], batchSize: shown.batchSize }
      }
      const believed = { keys: [...verdict.keys], batchSize: shown.batchSize }
      await storeIssuer(sql, issuer, believed)
      return believed
    })
  }

  private async ask(issuer: string, endpoint: Endpoint, body: Uint8Array): Promise<Uint8Array> {
    if (!isProviderDomain(issuer)) throw new InvalidRequest('issuer must be a domain name.')
    const answer = await this.client.send({ peer: issuer, endpoint, argument: issuer, body })
    if (answer.kind === 'answered' && answer.status === 200) return answer.body
    throw hubProblem(answer)
  }
}

function now(): number {
  return Math.floor(Date.now() / 1000)
}

/** A key without `not-before` has always signed. */
function pinsOf({ 'token-keys': keys }: IssuerDirectory): IssuerKeyPin[] {
  return keys
    .filter(({ 'token-type': type }) => type === BLIND_RSA)
    .map((key) => ({ token_key: key['token-key'], not_before: key['not-before'] ?? 0, redeem_until: key['redeem-until'] }))
}

function described({ token_key: key, not_before: from, redeem_until: until }: IssuerKeyPin): IssuerDirectory['token-keys'][number] {
  return { 'token-type': BLIND_RSA, 'token-key': key, 'not-before': from, 'redeem-until': until }
}
