import { Inject, Injectable } from '@nestjs/common'
import { errors, jwtVerify, SignJWT } from 'jose'
import { LRUCache } from 'lru-cache'
import { z } from 'zod'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { parseClientUri } from '../../protocol/identifiers.js'
import { KeyRing } from './key-ring.js'

const TYPE = 'at+jwt'
const ALGORITHM = 'EdDSA'
const MAX_TOKEN_LENGTH = 2_048
const MAX_REMEMBERED = 20_000

/** RFC 7800 §3.1, by the thumbprint of RFC 9449 §6.1. */
const Confirmation = z.object({ jkt: z.string().regex(/^[A-Za-z0-9_-]{43}$/) })
/** `gen` is the session generation of the device when the token was issued. `did` is in tokens of the release before, which have no `aud`. */
const Claims = z.object({
  sub: z.string(),
  exp: z.number(),
  gen: z.int(),
  aud: z.string().optional(),
  cnf: Confirmation.optional(),
  did: z.string().optional(),
})

interface Subject {
  readonly deviceId: bigint
  readonly userId: bigint
  readonly client: string
  readonly generation: number
  /** Thumbprint of the key that the session is bound to. */
  readonly key?: string | undefined
}

/** What a token says. */
export interface AccessToken {
  readonly kind: 'valid'
  readonly client: string
  readonly generation: number
  readonly expiresAt: Date
  /** Thumbprint of the key that has to be proven with it; undefined: none. */
  readonly key: string | undefined
}
export type VerifiedToken = AccessToken | { readonly kind: 'invalid' } | { readonly kind: 'expired' }

/** Access tokens: JWTs (RFC 9068 in spirit) signed with EdDSA by the key ring. */
@Injectable()
export class AccessTokens {
  /** Valid tokens come again with every request, and a signature check costs more than the rest of a small request. */
  private readonly remembered = new LRUCache<string, AccessToken & { kid: string }>({ max: MAX_REMEMBERED })

  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN' | 'ACCESS_TOKEN_TTL' | 'ACCESS_TOKENS'>,
    private readonly ring: KeyRing,
  ) {}

  /** @param now PostgreSQL's clock, so that nodes with a wrong one issue right tokens */
  async issue(subject: Subject, now: Date): Promise<{ token: string; expiresAt: Date }> {
    const { kid, privateKey } = await this.ring.signer()
    const issuedAt = Math.floor(now.getTime() / 1000)
    const expiresAt = issuedAt + Math.floor(this.config.ACCESS_TOKEN_TTL / 1000)
    const rows = this.config.ACCESS_TOKENS === 'legacy' ? { did: String(subject.deviceId), uid: String(subject.userId) } : {}
    const confirmation = subject.key === undefined ? {} : { cnf: { jkt: subject.key } }
    const token = await new SignJWT({ gen: subject.generation, ...confirmation, ...rows })
      .setProtectedHeader({ alg: ALGORITHM, typ: TYPE, kid })
      .setIssuer(this.config.DOMAIN)
      .setAudience(this.config.DOMAIN)
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
      if (known.expiresAt.getTime() > Date.now()) return known
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
      const valid = accessToken(Claims.safeParse(payload).data, this.config.DOMAIN)
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

function accessToken(claims: z.infer<typeof Claims> | undefined, audience: string): AccessToken | undefined {
  if (claims === undefined || parseClientUri(claims.sub) === undefined) return undefined
  // Tokens of the release before are for nobody in particular; they end within ACCESS_TOKEN_TTL.
  const isMeant = claims.aud === undefined ? claims.did !== undefined : claims.aud === audience
  if (!isMeant) return undefined
  const { sub: client, gen: generation, exp, cnf } = claims
  return { kind: 'valid', client, generation, expiresAt: new Date(exp * 1000), key: cnf?.jkt }
}
