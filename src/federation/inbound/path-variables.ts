import { Param } from '@nestjs/common'
import { z, type ZodType } from 'zod'
import { ProviderDomain, RoomUri, UserUri } from '../../authentication/identifiers.dto.js'

const MAX_LENGTH = 400

/** `{roomId}` of an endpoint, in the path or in the query; nothing but a room's URI gets as far as a query. Anything else answers 404, as do the others here. */
export const RoomVariable = () => Param('roomId', { schema: Room })

/** A user, as its URI. */
export const UserVariable = (name: string) => Param(name, { schema: User })

/** A provider's domain; whether it is ours, the handler says. */
export const DomainVariable = (name: string) => Param(name, { schema: Domain })

const Room = variable(RoomUri, 'a room: mimi://<domain>/r/<room>')
const User = variable(UserUri, 'a user: mimi://<domain>/u/<user>')
const Domain = variable(ProviderDomain, 'a domain')

/** The federation profile has 404 for a variable of another form than what it stands for: a resource of such a name cannot be. */
function variable(schema: ZodType, what: string) {
  const isOne = (text: string) => schema.safeParse(text).success
  return z
    .string()
    .max(MAX_LENGTH)
    .refine(isOne, { message: `The address does not name ${what}.`, params: { notFound: true } })
    .prefault('')
}
