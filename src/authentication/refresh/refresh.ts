import { Injectable, Inject } from '@nestjs/common'
import { Pool } from 'pg'
import { Hints } from '../../platform/hints/hints.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Events } from '../../platform/observability/events.js'
import { POOL, transaction, type Sql } from '../../platform/postgres/sql.js'
import { Secrets } from '../../platform/secrets.js'
import { refreshTokenReused, sessionEnded } from '../authentication.events.js'
import { RefreshRefused } from '../authentication.problems.js'
import { DpopRequired } from '../possession/possession.problems.js'
import { Possession } from '../possession/possession.js'
import type { Caller } from '../session/caller.js'
import { SessionIssuer, type BegunSession } from '../session/session-issuer.js'
import type { Session } from '../session/sessions.dto.js'
import { lockAccount } from '../accounts/accounts.repository.js'
import { endSessionGeneration } from '../devices/devices.repository.js'
import { decideRefresh, hashOfToken, REFRESH_TOKEN_BYTES, successorOf, tokenOf, type RefreshToken } from './refresh-token.js'
import {
  accountOfFamily,
  bindFamily,
  deleteFamily,
  deleteRefreshTokens,
  readFamily,
  rotateRefreshToken,
  type StoredFamily,
} from './refresh-tokens.repository.js'

type Renewal = { readonly kind: 'renewed'; readonly session: BegunSession } | { readonly kind: 'reused'; readonly deviceId: bigint }

/** What happens to refresh tokens, in the database. */
@Injectable()
export class SessionRenewal {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'REFRESH_TOKEN_TTL'>,
    private readonly secrets: Secrets,
    private readonly possession: Possession,
  ) {}

  /**
   * @param shown thumbprint of the key that the client has shown
   * @throws RefreshRefused for a token of no family, or of one that is bound to another key; DpopRequired. `reused` is no exception: that
   * the family ends has to be committed.
   */
  async renew(bytes: Uint8Array, shown: string | undefined): Promise<Renewal> {
    if (bytes.length !== REFRESH_TOKEN_BYTES) throw new RefreshRefused()
    const token = tokenOf(bytes)
    return transaction(this.pool, async (sql) => {
      const accountId = await accountOfFamily(sql, token.family)
      if (accountId === undefined || !(await lockAccount(sql, accountId))) throw new RefreshRefused()
      return this.decide(sql, token, shown)
    })
  }

  /** Ends all sessions of a device, its access tokens included. */
  end(deviceId: bigint, accountId: bigint): Promise<void> {
    return transaction(this.pool, async (sql) => {
      await lockAccount(sql, accountId)
      await deleteRefreshTokens(sql, [deviceId])
      await endSessionGeneration(sql, deviceId)
    })
  }

  private async decide(sql: Sql, token: RefreshToken, shown: string | undefined): Promise<Renewal> {
    const family = await readFamily(sql, token.family)
    if (family === undefined) throw new RefreshRefused()
    // Before anything is done by the token: a thief without the key must neither get on with the session nor end it.
    const key = this.keyOf(family, shown)
    const decision = decideRefresh(hashOfToken(token), family)
    if (decision === 'reused') {
      await deleteFamily(sql, token.family)
      await endSessionGeneration(sql, family.deviceId)
      return { kind: 'reused', deviceId: family.deviceId }
    }
    const next = successorOf(token, this.secrets)
    if (decision === 'rotate') await rotateRefreshToken(sql, token.family, hashOfToken(next), this.config.REFRESH_TOKEN_TTL)
    if (key !== undefined && family.proofKey === null) await bindFamily(sql, token.family, Buffer.from(key, 'base64url'))
    const { deviceId, userId, client, generation } = family
    return { kind: 'renewed', session: { device: { deviceId, userId, client, generation, key }, refreshToken: next, now: family.now } }
  }

  /** A session that is bound to a key stays so, whatever the setting; one that is not (of a release before, or of a simple client) becomes so. */
  private keyOf({ proofKey }: StoredFamily, shown: string | undefined): string | undefined {
    if (proofKey === null) return this.possession.binding(shown)
    if (shown === undefined) throw new DpopRequired()
    if (shown !== proofKey.toString('base64url')) throw new RefreshRefused()
    return shown
  }
}

/** Refreshes sessions, and ends them. */
@Injectable()
export class Refresh {
  constructor(
    private readonly renewal: SessionRenewal,
    private readonly issuer: SessionIssuer,
    private readonly hints: Hints,
    private readonly events: Events,
  ) {}

  /** @param shown thumbprint of the key that the client has shown */
  async refresh(token: Uint8Array, shown: string | undefined): Promise<Session> {
    const renewal = await this.renewal.renew(token, shown)
    if (renewal.kind === 'renewed') return this.issuer.issue(renewal.session)
    refreshTokenReused(this.events)
    this.hints.publish([{ kind: 'session-ended', deviceId: renewal.deviceId }])
    throw new RefreshRefused()
  }

  async end({ deviceId, userId }: Caller): Promise<void> {
    await this.renewal.end(deviceId, userId)
    sessionEnded(this.events)
    this.hints.publish([{ kind: 'session-ended', deviceId }])
  }
}
