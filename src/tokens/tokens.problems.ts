import { Problem } from '../platform/http/problem.js'

/** Also for a key that has just stopped signing: fetch the directory, and ask again with a key of it. */
export class TokenKeyUnknown extends Problem {
  constructor() {
    super(422, 'token-key-unknown', 'No key that signs now has this id.')
  }
}
export class BatchSize extends Problem {
  constructor(tokens: number) {
    super(422, 'batch-size', `A batch is of ${tokens} tokens, for everyone.`, { tokens })
  }
}
export class QuotaExceeded extends Problem {
  /** @param until when the next key signs */
  constructor(until: Date) {
    const seconds = Math.max(1, Math.ceil((until.getTime() - Date.now()) / 1000))
    super(429, 'token-quota', 'No more tokens of this key for this account.', { retry_after: seconds })
    this.retryAfter = seconds
  }
}
/** RFC 9577 §2.1: what a token has to be for, and by which keys it can be signed. */
export class TokenRequired extends Problem {
  constructor(challenge: string, detail = 'A send token is needed: Authorization: PrivateToken …') {
    super(401, 'token-required', detail)
    this.authenticate = challenge
  }
}
export class TokenSpent extends Problem {
  constructor(challenge: string) {
    super(401, 'token-spent', 'This token has been spent.')
    this.authenticate = challenge
  }
}
