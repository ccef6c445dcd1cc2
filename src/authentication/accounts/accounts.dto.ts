import { z } from 'zod'
import { Nonce, NewSignatureKeys } from '../challenges/challenges.dto.js'
import { ClientUri, UserUri } from '../identifiers.dto.js'

export const RegisterAccount = z
  .strictObject({
    user: UserUri,
    client: ClientUri,
    nonce: Nonce,
    signature_keys: NewSignatureKeys,
    invite_code: z.string().max(64).optional().meta({ description: 'From the operator, where registration needs one' }),
  })
  .meta({ id: 'RegisterAccount' })
export type RegisterAccount = z.infer<typeof RegisterAccount>
