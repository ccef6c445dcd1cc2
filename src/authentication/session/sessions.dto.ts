import { z } from 'zod'
import { MlsBytes, UnixSeconds } from '../../platform/http/bytes.js'
import { Nonce, Proof, PublicKey } from '../challenges/challenges.dto.js'
import { ClientUri, UserUri } from '../identifiers.dto.js'
import { REFRESH_TOKEN_BYTES } from '../refresh/refresh-token.js'

export const OpenSession = z
  .strictObject({ client: ClientUri, nonce: Nonce, public_key: PublicKey, proof: Proof })
  .meta({ id: 'OpenSession' })
export type OpenSession = z.infer<typeof OpenSession>

export const RefreshSession = z
  .strictObject({
    refresh_token: MlsBytes(REFRESH_TOKEN_BYTES).meta({ description: 'The refresh token of the last answer' }),
  })
  .meta({ id: 'RefreshSession' })
export type RefreshSession = z.infer<typeof RefreshSession>

export const Session = z
  .object({
    client: ClientUri,
    user: UserUri,
    token_type: z.enum(['DPoP', 'Bearer']).meta({
      description:
        'How the access token is sent in Authorization. DPoP: each request has a proof of the session’s key (RFC 9449 §7), each refresh, too',
    }),
    access_token: z.string().meta({ description: 'JWT for Authorization, with the scheme of token_type' }),
    expires_at: UnixSeconds.meta({ description: 'When the access token ends, Unix seconds' }),
    refresh_token: MlsBytes(REFRESH_TOKEN_BYTES).meta({
      description: 'Good for one refresh, which answers the next one; a repeat within 60 seconds answers the same next one',
    }),
  })
  .meta({ id: 'Session' })
export type Session = z.output<typeof Session>
