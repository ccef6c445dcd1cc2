/** What a database URL of libpq's form says: `postgres://user:password@h1:5432,h2:5433/db?target_session_attrs=read-write`. */
export interface DatabaseUrl {
  /** One URL for each host, in the order given, as `pg` takes them: it knows a single host only. */
  urls: readonly string[]
  /** True if a session that takes no writes is of no use: with several hosts, or where target_session_attrs says so. */
  writable: boolean
}

/** Scheme, credentials, hosts, the rest. */
const PARTS = /^(postgres(?:ql)?:\/\/)([^/?#]*@)?([^/?#@]*)([/?#].*)?$/
const ATTRIBUTES = 'target_session_attrs'

/**
 * Parses a PostgreSQL URL with one host or several. Of libpq's `target_session_attrs` it takes `any`, `read-write` and `primary`
 * (which is the same here); several hosts without it mean `read-write`.
 * @returns undefined if it is not such a URL
 */
export function parseDatabaseUrl(text: string): DatabaseUrl | undefined {
  const [, scheme, credentials = '', hosts = '', rest = ''] = PARTS.exec(text) ?? []
  const names = hosts.split(',')
  if (scheme === undefined || (names.length > 1 && names.includes(''))) return undefined
  const texts = names.map((name) => `${scheme}${credentials}${name}${rest}`)
  if (!texts.every((single) => URL.canParse(single))) return undefined
  const wanted = new URL(texts[0] ?? '').searchParams.get(ATTRIBUTES) ?? (names.length > 1 ? 'read-write' : 'any')
  if (!['any', 'read-write', 'primary'].includes(wanted)) return undefined
  return { urls: texts.map(withoutAttributes), writable: wanted !== 'any' }
}

/** The choice of the host is made here; `pg` does not know the parameter. */
function withoutAttributes(text: string): string {
  const url = new URL(text)
  if (!url.searchParams.has(ATTRIBUTES)) return text
  url.searchParams.delete(ATTRIBUTES)
  return url.href
}
