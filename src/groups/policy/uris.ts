import { z } from 'zod'
import { CLIENT_URI, parseClientUri, parseUserUri, USER_NAME, USER_URI, userUri } from '../../protocol/identifiers.js'

/** The URI of a device in the body of a request. */
export const ClientUri = z
  .string()
  .max(400)
  .refine((text) => parseClientUri(text) !== undefined, 'Expected mimi://<domain>/d/<user>/<device>')
  .meta({ description: 'Client URI', pattern: CLIENT_URI.source, examples: ['mimi://localhost/d/alice/phone'] })

/** A user in a path: the local name, or the (percent-encoded) URI. */
export const UserReference = z
  .string()
  .max(400)
  .refine((text) => USER_NAME.test(text) || parseUserUri(text) !== undefined, 'Expected a user name, or mimi://<domain>/u/<user>')
  .meta({
    description: 'User: a local name, or mimi://<domain>/u/<name>',
    pattern: `${USER_NAME.source}|${USER_URI.source}`,
    examples: ['bob'],
  })

/** The same in a query, which proxies leave alone: in a path, some decode `%2F`, and then nobody finds the route. */
export const ByUser = z.strictObject({ user: UserReference })
export type ByUser = z.infer<typeof ByUser>

/** The URI of a `UserReference`; a local name is one of `domain`. */
export function userOf(domain: string, reference: string): string {
  return USER_NAME.test(reference) ? userUri({ domain, user: reference }) : reference
}
