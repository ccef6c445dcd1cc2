import { Inject, Injectable } from '@nestjs/common'
import { CONFIG, type Config } from '../../platform/config/config.js'
import type { Sql } from '../../platform/postgres/sql.js'
import { parseClientUri, userUri } from '../../protocol/identifiers.js'
import { AccessTokens } from '../keys/access-tokens.js'
import { hashOfToken, newRefreshToken, type RefreshToken } from '../refresh/refresh-token.js'
import { insertRefreshToken } from '../refresh/refresh-tokens.repository.js'
import type { Session } from './sessions.dto.js'

export interface SessionDevice {
  readonly deviceId: bigint
  readonly userId: bigint
  readonly client: string
  readonly generation: number
  /** Thumbprint of the key that the session is bound to. */
  readonly key: string | undefined
}

/** A session as written in a transaction; its tokens are handed out after COMMIT. */
export interface BegunSession {
  readonly device: SessionDevice
  readonly refreshToken: RefreshToken
  readonly now: Date
}

@Injectable()
export class SessionIssuer {
  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'REFRESH_TOKEN_TTL'>,
    private readonly tokens: AccessTokens,
  ) {}

  async begin(sql: Sql, device: SessionDevice): Promise<BegunSession> {
    const refreshToken = newRefreshToken()
    const now = await insertRefreshToken(sql, {
      family: refreshToken.family,
      deviceId: device.deviceId,
      hash: hashOfToken(refreshToken),
      ttlMs: this.config.REFRESH_TOKEN_TTL,
      key: device.key === undefined ? null : Buffer.from(device.key, 'base64url'),
    })
    return { device, refreshToken, now }
  }

  async issue({ device, refreshToken, now }: BegunSession): Promise<Session> {
    const { token, expiresAt } = await this.tokens.issue(device, now)
    const client = parseClientUri(device.client)
    if (client === undefined) throw new Error('A device has a name that is no client URI')
    return {
      client: device.client,
      user: userUri(client),
      token_type: device.key === undefined ? 'Bearer' : 'DPoP',
      access_token: token,
      expires_at: expiresAt,
      refresh_token: refreshToken.bytes,
    }
  }
}
