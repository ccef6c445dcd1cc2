import { z } from 'zod'
import type { ProblemTypes } from '../platform/http/problem-types.js'
import { Problem } from '../platform/http/problem.js'

/** Also for a key that has just stopped signing: fetch the directory, and ask again with a key of it. */
export class TokenKeyUnknown extends Problem {
  constructor() {
    super(422, 'token-key-unknown', 'No signing key in use has this id.')
  }
}
export class BatchSize extends Problem {
  constructor(tokens: number) {
    super(422, 'batch-size', `A batch has exactly ${tokens} tokens.`, { tokens })
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
    this.challenge = challenge
  }
}
export class TokenSpent extends Problem {
  constructor(challenge: string) {
    super(401, 'token-spent', 'This token has been spent.')
    this.challenge = challenge
  }
}

export const TOKEN_PROBLEMS: ProblemTypes = {
  'token-key-unknown': {
    status: 422,
    when: 'No key that signs now has the id in the request; it may have just stopped.',
    client: 'Fetch the issuer’s directory again and ask with a key of it.',
    retry: 'redo',
  },
  'batch-size': {
    status: 422,
    when: 'The batch does not have the size that all batches have.',
    client: 'Ask for `tokens` tokens at once.',
    retry: 'redo',
    members: { tokens: z.int() },
  },
  'token-quota': {
    status: 429,
    when: 'The account has had its tokens of this key.',
    client: 'Wait for the next key: `Retry-After` can be days.',
    retry: 'wait',
    members: { retry_after: z.int().meta({ description: 'Seconds, as in the Retry-After header' }) },
  },
  'token-required': {
    status: 401,
    when: 'There is no send token, or one that is not valid here. `WWW-Authenticate` has the challenge (RFC 9577).',
    client: 'Send a token of this issuer.',
    retry: 'redo',
  },
  'token-spent': {
    status: 401,
    when: 'The token was used before.',
    client: 'Use another token. If the answer to the first use was lost, look for the message in the log.',
    retry: 'redo',
  },
}
