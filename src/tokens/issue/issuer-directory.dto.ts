import { z } from 'zod'
import { ProviderDomain } from '../../authentication/identifiers.dto.js'

const TokenKey = z.object({
  'token-type': z.int().meta({ description: '2: Blind RSA (2048 bit)' }),
  'token-key': z.string().max(1_024).meta({ description: 'SubjectPublicKeyInfo, base64url with padding' }),
  'redeem-until': z.int().nonnegative().max(253_402_300_799).meta({ description: 'Unix seconds until which its tokens can be spent' }),
  'not-before': z.int().optional().meta({ description: 'Unix seconds from which on the key is to be used' }),
})

/** RFC 9578 §4. `batch-size` and `expires` are additions of this server. */
export const IssuerDirectory = z
  .object({
    'issuer-request-uri': z.string().max(1_024),
    'token-keys': z.array(TokenKey).min(1).max(8),
    'batch-size': z.int().positive().max(1_000).meta({ description: 'Tokens in one batch' }),
  })
  .meta({ id: 'IssuerDirectory' })
export type IssuerDirectory = z.infer<typeof IssuerDirectory>

/** Of whom tokens are wanted, and are to be spent with: a hub. */
export const AtIssuer = z.object({
  issuer: ProviderDomain.optional().meta({ description: 'Domain of a hub; this provider by default' }),
})
export type AtIssuer = z.infer<typeof AtIssuer>
