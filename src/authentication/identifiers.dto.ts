import { z } from 'zod'
import {
  CLIENT_URI,
  isProviderDomain,
  parseClientUri,
  parseRoomUri,
  parseUserUri,
  PROVIDER_DOMAIN,
  ROOM_URI,
  USER_URI,
} from '../protocol/identifiers.js'

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

/** Either of these, as one type: generators make a type of its own of each union, and not all can write one into a query. */
export const UserOrClientUri = z
  .string()
  .max(MAX_URI_LENGTH)
  .refine(
    (uri) => parseUserUri(uri) !== undefined || parseClientUri(uri) !== undefined,
    'Expected mimi://<domain>/u/<user> or mimi://<domain>/d/<user>/<device>',
  )
  .meta({ description: 'User or client URI', pattern: `${USER_URI.source}|${CLIENT_URI.source}`, examples: ['mimi://localhost/u/alice'] })

/** `mimi://<domain>/r/<room>`, of any provider. */
export const RoomUri = z
  .string()
  .max(MAX_URI_LENGTH)
  .refine((uri) => parseRoomUri(uri) !== undefined, 'Expected mimi://<domain>/r/<room>')
  .meta({ description: 'Room URI', pattern: ROOM_URI.source, examples: ['mimi://localhost/r/lobby'] })

/** 253 octets of a name (RFC 1035 §2.3.4), a colon, and five digits. */
const MAX_DOMAIN_LENGTH = 259

/** A provider, as written in identifiers: lower case, with a port only where that is part of the name. */
export const ProviderDomain = z
  .string()
  .max(MAX_DOMAIN_LENGTH)
  .refine(isProviderDomain, 'Expected a domain in lower case')
  .meta({ description: 'Domain of a provider', pattern: PROVIDER_DOMAIN.source, examples: ['localhost'] })
