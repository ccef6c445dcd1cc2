/** The part of a user after `/u/`; also the first part of its clients. */
const USER = '[a-z0-9][a-z0-9._-]{0,63}'
/** The part of a room after `/r/`. */
const ROOM = USER
/** The part of a client after its user; chosen by the client. */
const DEVICE = '[A-Za-z0-9_-]{1,64}'
const DOMAIN = '[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::[0-9]{1,5})?'

export const USER_NAME = new RegExp(`^${USER}$`)
export const DEVICE_NAME = new RegExp(`^${DEVICE}$`)
export const USER_URI = new RegExp(`^mimi://(${DOMAIN})/u/(${USER})$`)
export const PROVIDER_DOMAIN = new RegExp(`^${DOMAIN}$`)
export const ROOM_URI = new RegExp(`^mimi://(${DOMAIN})/r/(${ROOM})$`)
export const CLIENT_URI = new RegExp(`^mimi://(${DOMAIN})/d/(${USER})/(${DEVICE})$`)

/** A domain as written in identifiers: lower case, with a port only where that is part of the name. */
export function isProviderDomain(domain: string): boolean {
  return PROVIDER_DOMAIN.test(domain)
}

/** The parts of `mimi://<domain>/u/<user>`. */
export interface UserIdentifier {
  readonly domain: string
  readonly user: string
}

/** The parts of `mimi://<domain>/d/<user>/<device>`. */
export interface ClientIdentifier extends UserIdentifier {
  readonly device: string
}

/** The parts of a user URI, or undefined. Only the spelling that `userUri` writes is one, so that texts can be compared. */
export function parseUserUri(uri: string): UserIdentifier | undefined {
  const [, domain, user] = USER_URI.exec(uri) ?? []
  return domain === undefined || user === undefined ? undefined : { domain, user }
}

/** The parts of a client URI, or undefined. It is also the identity in the device's MLS basic credential (RFC 9420 §5.3). */
export function parseClientUri(uri: string): ClientIdentifier | undefined {
  const [, domain, user, device] = CLIENT_URI.exec(uri) ?? []
  return domain === undefined || user === undefined || device === undefined ? undefined : { domain, user, device }
}

/** The parts of `mimi://<domain>/r/<room>`. */
export interface RoomIdentifier {
  readonly domain: string
  readonly room: string
}

/** The parts of a room URI, of any provider, or undefined. */
export function parseRoomUri(uri: string): RoomIdentifier | undefined {
  const [, domain, room] = ROOM_URI.exec(uri) ?? []
  return domain === undefined || room === undefined ? undefined : { domain, room }
}

/** `mimi://<domain>/u/<user>`; the parts are not checked. */
export function userUri({ domain, user }: UserIdentifier): string {
  return `mimi://${domain}/u/${user}`
}

/** `mimi://<domain>/d/<user>/<device>`; the parts are not checked. */
export function clientUri({ domain, user, device }: ClientIdentifier): string {
  return `mimi://${domain}/d/${user}/${device}`
}

export const MAX_GROUP_ID_BYTES = 255

/** 1 to 255 bytes. RFC 9420 §8.1 sets no bounds; this server has them for all groups. */
export function isGroupId(bytes: Uint8Array): boolean {
  return bytes.length > 0 && bytes.length <= MAX_GROUP_ID_BYTES
}
