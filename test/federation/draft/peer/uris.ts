/** Identifiers of Table 1 (§3): `mimi://a.example/u/alice`, `/d/…`, `/r/…`, `/g/…`. A client's URI names its user first. */
export const userUri = (domain: string, user: string): string => `mimi://${domain}/u/${user}`
export const clientUri = (domain: string, user: string, device: string): string => `mimi://${domain}/d/${user}/${device}`
export const roomUri = (domain: string, room: string): string => `mimi://${domain}/r/${room}`
export const providerUri = (domain: string): string => `mimi://${domain}`

/** The provider in a MIMI URI; empty if it is none. */
export function domainOf(uri: string): string {
  return /^mimi:\/\/([^/]+)(\/|$)/.exec(uri)?.[1] ?? ''
}

/** The user of a client. */
export function userOf(client: string): string {
  const [, domain = '', user = ''] = /^mimi:\/\/([^/]+)\/d\/([^/]+)\/[^/]+$/.exec(client) ?? []
  return userUri(domain, user)
}
