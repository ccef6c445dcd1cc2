/** For `WWW-Authenticate` (RFC 9449 §7.1): access tokens come with a proof of possession. */
export const DPOP_CHALLENGE = 'DPoP algs="ES256 EdDSA Ed25519"'
/** Of a 401 that names no other: tokens that are bound to no key are taken as well, where the operator lets clients have such. */
export const ACCESS_CHALLENGE = `${DPOP_CHALLENGE}, Bearer`

/**
 * An expected error, sent to the client as RFC 9457 problem details. Modules subclass it, mostly in `<module>.problems.ts`.
 * `type` is the stable name that clients switch on; `detail` is a sentence for people; `extension` holds additional members.
 */
export class Problem extends Error {
  /** Seconds for a Retry-After header, if the client should retry. */
  retryAfter?: number
  /** The limit that refuses, as docs/limits.md names it, where the filter is to count it. */
  limit?: string
  /** WWW-Authenticate of a 401; `ACCESS_CHALLENGE` if unset (RFC 9110 §11.6.1). */
  challenge?: string

  constructor(
    readonly status: number,
    readonly type: string,
    readonly detail: string,
    readonly extension: Record<string, unknown> = {},
  ) {
    super(`${type}: ${detail}`)
    this.name = new.target.name
  }
}

export class InvalidRequest extends Problem {
  constructor(detail: string, errors: readonly { path: string; message: string }[] = []) {
    super(400, 'invalid-request', detail, errors.length > 0 ? { errors } : {})
  }
}
export class Unauthenticated extends Problem {
  constructor(detail = 'A valid access token is needed: Authorization: DPoP …, with a proof in the field DPoP.') {
    super(401, 'unauthenticated', detail)
  }
}
export class Forbidden extends Problem {
  constructor(detail: string) {
    super(403, 'forbidden', detail)
  }
}
export class NotFound extends Problem {
  constructor(detail = 'Not found.') {
    super(404, 'not-found', detail)
  }
}
export class MethodNotAllowed extends Problem {
  constructor(readonly allow: readonly string[]) {
    super(405, 'method-not-allowed', `This resource answers ${allow.join(', ')}.`)
  }
}
export class TooLarge extends Problem {
  constructor(detail: string, limit?: number) {
    super(413, 'too-large', detail, limit === undefined ? {} : { limit })
  }
}
export class UnsupportedMediaType extends Problem {
  constructor(detail: string) {
    super(415, 'unsupported-media-type', detail)
  }
}
export class Undecodable extends Problem {
  constructor(detail: string) {
    super(422, 'undecodable', detail)
  }
}
export class RateLimited extends Problem {
  /**
   * @param seconds until the next attempt can succeed
   * @param quota in the unit of the limit, where the caller may know
   */
  constructor(seconds: number, quota?: { used: number; allowed: number }) {
    const retryAfter = Math.max(1, Math.ceil(seconds))
    super(429, 'rate-limited', 'Too many requests.', { retry_after: retryAfter, ...quota })
    this.retryAfter = retryAfter
  }
}
export class Unavailable extends Problem {
  constructor(detail = 'Not available right now.', seconds = 1) {
    super(503, 'unavailable', detail)
    this.retryAfter = seconds
  }
}
