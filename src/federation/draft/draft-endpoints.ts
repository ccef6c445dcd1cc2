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

/** Where bodies of the draft are others than those of the profile. */
const OWN_ROUTES: Partial<Record<Endpoint, string>> = { update: 'draftUpdate', submitMessage: 'draftSubmitMessage', notify: 'draftNotify' }

const ROUTES = new Set(DRAFT_ENDPOINTS.map(routeOf))
const ONLY_DRAFT = new Set(Object.values(OWN_ROUTES))

function routeOf(endpoint: Endpoint): string {
  return OWN_ROUTES[endpoint] ?? endpoint
}

/** Whose a route of this server is. @param route its template, as `/mimi/v1/update/:roomId` */
export function isRouteOf(dialect: 'draft' | 'profile', route: string): boolean {
  const name = route.split(`/${PEER_PATH}/`)[1]?.split('/')[0] ?? ''
  return dialect === 'draft' ? ROUTES.has(name) : !ONLY_DRAFT.has(name)
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
  return Object.fromEntries(DRAFT_ENDPOINTS.map((name) => [name, `${base}/${PEER_PATH}/${routeOf(name)}/{${ENDPOINTS[name]}}`]))
}
