import { Inject, Injectable } from '@nestjs/common'
import { errors, jwtVerify, SignJWT } from 'jose'
import { LRUCache } from 'lru-cache'
import { z } from 'zod'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { parseClientUri, userUri } from '../../protocol/identifiers.js'
import type { Caller } from '../session/caller.js'
import { KeyRing } from './key-ring.js'

const TYPE = 'at+jwt'
const ALGORITHM = 'EdDSA'
const MAX_TOKEN_LENGTH = 2_048
const MAX_REMEMBERED = 20_000

const RowNumber = z
  .string()
  .regex(/^\d{1,18}$/)
  .transform(BigInt)
/** `did` and `uid` are row ids, `gen` the session generation of the device when the token was issued. */
const Claims = z.object({ sub: z.string(), exp: z.number(), did: RowNumber, uid: RowNumber, gen: z.int() })

interface Subject {
  readonly deviceId: bigint
  readonly userId: bigint
  readonly client: string
  readonly generation: number
}

interface ValidToken {
  readonly kind: 'valid'
  readonly caller: Caller
}
export type VerifiedToken = ValidToken | { readonly kind: 'invalid' } | { readonly kind: 'expired' }

/** Access tokens: JWTs (RFC 9068 in spirit) signed with EdDSA by the key ring. */
@Injectable()
export class AccessTokens {
  /** Valid tokens come again with every request, and a signature check costs more than the rest of a small request. */
  private readonly remembered = new LRUCache<string, ValidToken & { kid: string }>({ max: MAX_REMEMBERED })

  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN' | 'ACCESS_TOKEN_TTL'>,
    private readonly ring: KeyRing,
  ) {}

  /** @param now PostgreSQL's clock, so that nodes with a wrong one issue right tokens */
  async issue(subject: Subject, now: Date): Promise<{ token: string; expiresAt: Date }> {
    const { kid, privateKey } = await this.ring.signer()
    const issuedAt = Math.floor(now.getTime() / 1000)
    const expiresAt = issuedAt + Math.floor(this.config.ACCESS_TOKEN_TTL / 1000)
    const token = await new SignJWT({ did: String(subject.deviceId), uid: String(subject.userId), gen: subject.generation })
      .setProtectedHeader({ alg: ALGORITHM, typ: TYPE, kid })
      .setIssuer(this.config.DOMAIN)
      .setSubject(subject.client)
      .setIssuedAt(issuedAt)
      .setExpirationTime(expiresAt)
      .sign(privateKey)
    return { token, expiresAt: new Date(expiresAt * 1000) }
  }

  /** Never throws for a bad token, whatever it is. Says nothing yet about the device's being revoked. */
  async verify(token: string): Promise<VerifiedToken> {
    const known = this.remembered.get(token)
    if (known !== undefined && (await this.ring.publicKey(known.kid)) !== undefined) {
      if (known.caller.expiresAt.getTime() > Date.now()) return known
      this.remembered.delete(token)
      return { kind: 'expired' }
    }
    return token.length > MAX_TOKEN_LENGTH ? { kind: 'invalid' } : this.check(token)
  }

  private async check(token: string): Promise<VerifiedToken> {
    try {
      const { payload, protectedHeader } = await jwtVerify(token, ({ kid }) => this.key(kid), {
        algorithms: [ALGORITHM],
        typ: TYPE,
        issuer: this.config.DOMAIN,
        requiredClaims: ['sub', 'iat', 'exp'],
      })
      const valid = validToken(Claims.safeParse(payload).data)
      if (valid !== undefined) this.remembered.set(token, { ...valid, kid: protectedHeader.kid ?? '' })
      return valid ?? { kind: 'invalid' }
    } catch (error) {
      if (error instanceof errors.JWTExpired) return { kind: 'expired' }
      if (error instanceof errors.JOSEError) return { kind: 'invalid' }
      throw error
    }
  }

  private async key(kid: string | undefined) {
    const key = kid === undefined ? undefined : await this.ring.publicKey(kid)
    if (key === undefined) throw new errors.JWKSNoMatchingKey()
    return key
  }
}

function validToken(claims: z.infer<typeof Claims> | undefined): ValidToken | undefined {
  const client = claims && parseClientUri(claims.sub)
  if (claims === undefined || client === undefined) return undefined
  const expiresAt = new Date(claims.exp * 1000)
  const { did: deviceId, uid: userId, gen: generation } = claims
  return { kind: 'valid', caller: { deviceId, userId, client: claims.sub, user: userUri(client), generation, expiresAt } }
}
