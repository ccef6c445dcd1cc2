import { parseUserUri, USER_NAME, userUri } from '../../protocol/identifiers.js'
import type { QueryElement } from '../../protocol/mimi/identifier-query.js'

/** What a query comes to before anybody is looked up. */
export type Matched = { kind: 'user'; uri: string } | { kind: 'nobody' } | { kind: 'unsupported-field' } | { kind: 'ambiguous' }

/**
 * Who is meant by all elements of a query. Handles and names are the only fields here, each of them one user's, and only whole ones
 * match: an empty query would match everybody, which is `ambiguous` in the sense of draft-ietf-mimi-protocol-06, Find internal address.
 */
export function matchQuery(elements: readonly QueryElement[], domain: string): Matched {
  if (elements.some(({ type }) => type !== 'handle' && type !== 'nick')) return { kind: 'unsupported-field' }
  const [first, ...others] = elements.map(({ type, value }) => (type === 'nick' ? ofNick(value, domain) : ofHandle(value, domain)))
  if (elements.length === 0) return { kind: 'ambiguous' }
  return first === undefined || others.some((uri) => uri !== first) ? { kind: 'nobody' } : { kind: 'user', uri: first }
}

/** `alice` of `mimi://a.example/u/alice` */
function ofNick(value: string, domain: string): string | undefined {
  return USER_NAME.test(value) ? userUri({ domain, user: value }) : undefined
}

/** `mimi://a.example/u/alice`, `alice@a.example` or `im:alice@a.example` */
function ofHandle(value: string, domain: string): string | undefined {
  const [, user, at] = /^(?:im:)?([^@]+)@([^@]+)$/.exec(value) ?? []
  if (user !== undefined) return at === domain ? ofNick(user, domain) : undefined
  return parseUserUri(value)?.domain === domain ? value : undefined
}

/** How a person writes down whom to look for: a bare name is a nick, anything else has to be the whole handle. */
export function elementOf(text: string): QueryElement {
  return { type: USER_NAME.test(text) ? 'nick' : 'handle', field: undefined, value: text }
}
