import type { Config } from '../../platform/config/config.js'
import { ENDPOINTS, PEER_PATH, type Endpoint } from '../identity/endpoints.js'

/** The endpoints of draft-ietf-mimi-protocol-06, Directory, that this server has. The others of `ENDPOINTS` are of its own profile. */
export const DRAFT_ENDPOINTS = [
  'keyMaterial',
  'update',
  'notify',
  'submitMessage',
  'groupInfo',
  'requestConsent',
  'updateConsent',
  'identifierQuery',
  'reportAbuse',
] as const satisfies readonly Endpoint[]

const KNOWN = new Set<string>(DRAFT_ENDPOINTS)

/** Whether a peer of the draft may ask at a route of this server. @param route its template, as `/mimi/v1/update/:roomId` */
export function isDraftRoute(route: string): boolean {
  const [, path] = route.split(`/${PEER_PATH}/`)
  return KNOWN.has(path?.split('/')[0] ?? '')
}

/** Where peers of the draft find the endpoints; undefined where no listener is there for them. */
export function draftUrl({
  FEDERATION,
  FEDERATION_DRAFT_PORT: port,
  FEDERATION_DRAFT_URL: url,
  DOMAIN,
}: Pick<Config, 'DOMAIN' | 'FEDERATION' | 'FEDERATION_DRAFT_PORT' | 'FEDERATION_DRAFT_URL'>): string | undefined {
  if (FEDERATION === 'off' || port === undefined) return undefined
  return url ?? `https://${DOMAIN.replace(/:\d+$/, '')}:${port}`
}

/** The directory of the draft: nothing but endpoints. No proxy decodes the paths of this listener, so the variable stands where the draft has it. */
export function draftDirectory(base: string): Record<string, string> {
  return Object.fromEntries(DRAFT_ENDPOINTS.map((name) => [name, `${base}/${PEER_PATH}/${name}/{${ENDPOINTS[name]}}`]))
}
