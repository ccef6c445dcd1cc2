import { z } from 'zod'
import { CLIENT_URI, parseClientUri, parseUserUri, USER_URI } from '../protocol/identifiers.js'

const MAX_URI_LENGTH = 400

/** `mimi://<domain>/u/<user>` */
export const UserUri = z
  .string()
  .max(MAX_URI_LENGTH)
  .refine((uri) => parseUserUri(uri) !== undefined, 'Expected mimi://<domain>/u/<user>')
  .meta({ description: 'User URI', pattern: USER_URI.source, examples: ['mimi://localhost/u/alice'] })

/** `mimi://<domain>/d/<user>/<device>`, the identity in the device's MLS credential. */
export const ClientUri = z
  .string()
  .max(MAX_URI_LENGTH)
  .refine((uri) => parseClientUri(uri) !== undefined, 'Expected mimi://<domain>/d/<user>/<device>')
  .meta({
    description: 'Client URI; the identity of the MLS basic credential',
    pattern: CLIENT_URI.source,
    examples: ['mimi://localhost/d/alice/phone'],
  })
