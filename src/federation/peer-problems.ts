import { NotFound, Problem, RateLimited } from '../platform/http/problem.js'
import { parseRetryAfter } from '../protocol/retry-policy.js'
import { capRetryAfter } from './cap-retry-after.js'
import type { PeerAnswer } from './signed-client/peer-answer.js'

class PeerUnreachable extends Problem {
  constructor(seconds = 5) {
    super(503, 'peer-unreachable', 'The other provider does not answer now. The same request may be sent again.')
    this.retryAfter = seconds
  }
}

/** By this server's own settings: FEDERATION is off, or does not admit that provider. */
export class ProviderDenied extends Problem {
  constructor() {
    super(403, 'provider-denied', 'This server does not federate with that provider.')
  }
}

class PeerRefused extends Problem {
  constructor(detail: string) {
    super(502, 'peer-refused', detail)
  }
}

export class PeerBadResponse extends Problem {
  constructor() {
    super(502, 'peer-bad-response', 'The other provider gave an answer that cannot be understood.')
  }
}

/** What a local client gets when another provider did not do what it was asked for, outside of any room. */
export function peerProblem(answer: PeerAnswer): Problem {
  switch (answer.kind) {
    case 'answered':
      return refusalOf(answer.status, capRetryAfter(parseRetryAfter(answer.retryAfter, Date.now())))
    case 'unsigned':
      return new PeerUnreachable(capRetryAfter(parseRetryAfter(answer.retryAfter, Date.now())))
    case 'denied':
      return new ProviderDenied()
    case 'profile-unsupported':
    case 'no-endpoint':
    case 'refused-url':
    case 'refused-address':
      return new PeerRefused(answer.detail)
    default:
      return new PeerUnreachable()
  }
}

function refusalOf(status: number, seconds: number | undefined): Problem {
  if (status === 404) return new NotFound('The other provider has no such user.')
  if (status === 429) return new RateLimited(seconds ?? 5)
  if (status >= 500) return new PeerUnreachable(seconds)
  return new PeerRefused(`The other provider refuses this server's request (${status}).`)
}
