/**
 * An expected refusal, told to the client as RFC 9457 problem+json. Modules subclass it in `<module>.problems.ts`.
 * `type` is the stable name that clients switch on; `detail` is a sentence for people; `extension` adds members.
 */
export class Problem extends Error {
  /** Seconds for a Retry-After header, if the client should come back. */
  retryAfter?: number
  /** The challenge of a 401, if it is not for an access token (RFC 9110 §11.6.1). */
  authenticate?: string

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
  constructor(detail = 'A valid access token is needed: Authorization: Bearer …') {
    super(401, 'unauthenticated', detail)
  }
}
export class Forbidden extends Problem {
  constructor(detail: string) {
    super(403, 'forbidden', detail)
  }
}
export class NotFound extends Problem {
  constructor(detail = 'There is nothing here.') {
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
  /** @param seconds until the next attempt can succeed */
  constructor(seconds: number) {
    super(429, 'rate-limited', 'Too many requests.', { retry_after: Math.max(1, Math.ceil(seconds)) })
    this.retryAfter = Math.max(1, Math.ceil(seconds))
  }
}
export class Unavailable extends Problem {
  constructor(detail = 'Not available right now.', seconds = 1) {
    super(503, 'unavailable', detail)
    this.retryAfter = seconds
  }
}
