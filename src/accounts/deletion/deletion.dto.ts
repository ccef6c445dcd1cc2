import { z } from 'zod'
import { ProviderDomain } from '../../authentication/identifiers.dto.js'
import { Hash } from '../../platform/http/bytes.js'

export const AccountDeletion = z
  .object({
    erasure_id: Hash.meta({ description: 'By which the operator finds the receipts of other providers, once nothing here names the user' }),
    providers: z.array(ProviderDomain).meta({ description: 'Other providers that know the user, and are asked to erase what they have' }),
  })
  .meta({ id: 'AccountDeletion' })
export type AccountDeletion = z.output<typeof AccountDeletion>
