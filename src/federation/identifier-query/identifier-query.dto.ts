import { z } from 'zod'
import { UserUri } from '../../authentication/identifiers.dto.js'
import { isProviderDomain, PROVIDER_DOMAIN } from '../../protocol/identifiers.js'

const MAX_HANDLE_LENGTH = 400
const MAX_DOMAIN_LENGTH = 260

export const IdentifierQuery = z
  .strictObject({
    domain: z
      .string()
      .max(MAX_DOMAIN_LENGTH)
      .refine(isProviderDomain, 'Expected the domain of a provider')
      .meta({ description: 'The provider that is asked; possibly this one', pattern: PROVIDER_DOMAIN.source, examples: ['localhost'] }),
    handle: z
      .string()
      .min(1)
      .max(MAX_HANDLE_LENGTH)
      .meta({ description: 'A name, name@domain, or mimi://<domain>/u/<user>. Only a whole one matches.' }),
  })
  .meta({ id: 'IdentifierQuery' })
export type IdentifierQuery = z.infer<typeof IdentifierQuery>

export const IdentifiersFound = z
  .object({ uris: z.array(UserUri).meta({ description: 'Empty if no user is found who wants to be found' }) })
  .meta({ id: 'IdentifiersFound' })
export type IdentifiersFound = z.output<typeof IdentifiersFound>

const searchable = { searchable: z.boolean().meta({ description: 'Whether others find this user by the exact name or handle' }) }
export const Searchable = z.object(searchable).meta({ id: 'Searchable' })
export const SetSearchable = z.strictObject(searchable).meta({ id: 'SetSearchable' })
export type SetSearchable = z.infer<typeof SetSearchable>
