/** A key of another issuer, as its directory names it. */
export interface IssuerKeyPin {
  /** SubjectPublicKeyInfo, base64url with padding. */
  readonly token_key: string
  /** Unix seconds from which on it signs. */
  readonly not_before: number
  /** Unix seconds until which its tokens can be redeemed. */
  readonly redeem_until: number
}

export type IssuerVerdict =
  | { readonly kind: 'trusted'; readonly keys: readonly IssuerKeyPin[] }
  /** @param why for the operator */
  | { readonly kind: 'refused'; readonly why: string }

/** How long copies of an issuer's keys are used. A new key is to be seen by all nodes before it signs. */
export const COPY_MS = 300_000
/** A new key signs this much later than it is first seen, at least: two copies' time. */
export const KEY_LEAD_SECONDS = (2 * COPY_MS) / 1000
/** Keys follow each other no faster than this: the shortest period that issuers have (`TOKEN_KEY_PERIOD`), give or take. */
const SHORTEST_PERIOD_SECONDS = 3_000
/** One that signs and the one after it. */
const MOST_KEYS = 2

/**
 * Whether what an issuer shows goes on from what it has shown. An issuer that gave each provider, or each fetch, keys of their own would know by a
 * token's key for whom it was: so a key counts only if it was announced before it signs, and there are two at most.
 * @param pinned keys that were believed before; none, or none that is still good: then the keys that are shown are believed, two at most
 * @param now Unix seconds
 */
export function judgeIssuerKeys(pinned: readonly IssuerKeyPin[], shown: readonly IssuerKeyPin[], now: number): IssuerVerdict {
  const live = pinned.filter(({ redeem_until: until }) => until > now)
  if (new Set(shown.map(({ token_key: key }) => key)).size !== shown.length) return refused('it names a key twice')
  if (shown.length > MOST_KEYS) return refused(`it names ${shown.length} keys`)
  if (live.length === 0) return { kind: 'trusted', keys: shown }
  const known = new Map(live.map((key) => [key.token_key, key]))
  const fresh = shown.filter(({ token_key: key }) => !known.has(key))
  for (const { token_key: key, not_before: from, redeem_until: until } of shown) {
    const pin = known.get(key)
    if (pin && (pin.not_before !== from || pin.redeem_until !== until)) return refused('a key has other times than before')
  }
  const last = Math.max(...live.map(({ not_before: from }) => from))
  if (fresh.some(({ not_before: from }) => from < now + KEY_LEAD_SECONDS)) return refused('a new key was not announced before it signs')
  if (fresh.length > 1 || (fresh.length === 1 && last > now)) return refused('a third key is announced')
  if (fresh.some(({ not_before: from }) => from < last + SHORTEST_PERIOD_SECONDS))
    return refused('a new key follows the one before too soon')
  return { kind: 'trusted', keys: [...live, ...fresh] }
}

function refused(why: string): IssuerVerdict {
  return { kind: 'refused', why }
}

/** The keys that clients are shown, the same to all: the one that signs, by its time, and the one after it. */
export function keysOf(pinned: readonly IssuerKeyPin[], now: number): IssuerKeyPin[] {
  const inOrder = pinned.filter(({ redeem_until: until }) => until > now).toSorted((a, b) => a.not_before - b.not_before)
  const signing = inOrder.findLastIndex(({ not_before: from }) => from <= now)
  return inOrder.slice(Math.max(0, signing))
}
