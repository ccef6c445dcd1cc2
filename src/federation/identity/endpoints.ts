/** Endpoints of the draft and of this server's profile, with the variable of each template (draft-ietf-mimi-protocol-06, Directory). */
export const ENDPOINTS = {
  keyMaterial: 'targetUser',
  update: 'roomId',
  notify: 'roomId',
  submitMessage: 'roomId',
  groupInfo: 'roomId',
  requestConsent: 'targetDomain',
  updateConsent: 'requesterDomain',
  identifierQuery: 'domain',
  reportAbuse: 'roomId',
  log: 'roomId',
  deleteRoom: 'roomId',
  eraseUser: 'user',
  operation: 'roomId',
  room: 'roomId',
  directory: 'user',
  deviceList: 'user',
  tokenDirectory: 'domain',
  issueTokens: 'domain',
  sealedKeys: 'domain',
  submitSealed: 'domain',
} as const

export type Endpoint = keyof typeof ENDPOINTS

/** What a server of this release can speak; the best common one is taken. */
export const PROFILES = ['microchat-2'] as const

/** What this server can do beyond what the profile demands. Readers pass over names that they do not know. */
export const FEATURES = ['device-lists', 'erase-user', 'sealed-posts'] as const

/** Whether there is a profile that this server speaks, too. */
export function haveCommonProfile(profiles: readonly string[]): boolean {
  return PROFILES.some((ours) => profiles.includes(ours))
}

export const PEER_PATH = 'mimi/v1'

/**
 * The URI templates (RFC 6570) of a server at `base`. The variable is in the query: its escaped slashes would not survive a proxy that
 * decodes paths. The form `/{name}/{variable}` of the draft's examples is served, too.
 */
export function endpointTemplates(base: string): Record<Endpoint, string> {
  const entries = Object.entries(ENDPOINTS).map(([name, variable]) => [name, `${base}/${PEER_PATH}/${name}?${variable}={${variable}}`])
  return Object.fromEntries(entries) as Record<Endpoint, string>
}

/** Literals and one expression with one variable: `varname` of RFC 6570 §2.3. */
const TEMPLATE = /^([^{}]*)\{(?:\w|%[0-9A-Fa-f]{2})+(?:\.(?:\w|%[0-9A-Fa-f]{2})+)*\}([^{}]*)$/

/**
 * A template of level 1 with its only variable filled in, whatever that is called (RFC 6570 §3.2.2).
 * @returns undefined for a template of another form
 */
export function expand(template: string, value: string): string | undefined {
  const [, before, after] = TEMPLATE.exec(template) ?? []
  if (before === undefined || after === undefined) return undefined
  return before + encodeURIComponent(value).replaceAll(/[!'()*]/g, percentEncoded) + after
}

function percentEncoded(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`
}
