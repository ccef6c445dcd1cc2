import { NotFound, Problem, RateLimited, Unavailable } from '../platform/http/problem.js'
import { parseRetryAfter } from '../protocol/retry-policy.js'
import { NotTheHub } from './inbound/inbound.problems.js'
import type { PeerAnswer } from './outbound/signed-client.js'

/** Longest Retry-After of another provider that is passed on. */
const MAX_RETRY_AFTER_SECONDS = 3_600

/** The Retry-After of another provider for a local client, in seconds, an hour at most. Undefined for what is no such number. */
export function capRetryAfter(seconds: unknown): number | undefined {
  return typeof seconds === 'number' && seconds >= 0 ? Math.min(seconds, MAX_RETRY_AFTER_SECONDS) : undefined
}

class PeerUnreachable extends Problem {
  constructor(seconds = 5) {
    super(503, 'peer-unreachable', 'The other provider does not answer now. The same request may be sent again.')
    this.retryAfter = seconds
  }
}

/** By this server's own settings: FEDERATION is off, or does not admit that provider. */
class ProviderDenied extends Problem {
  constructor(provider = 'that provider') {
    super(403, 'provider-denied', `This server does not federate with ${provider}.`)
  }
}

class PeerRefused extends Problem {
  constructor(detail: string) {
    super(502, 'peer-refused', detail)
  }
}

/** The provider answered, signed, and not in the form that was agreed. */
export class PeerBadResponse extends Problem {
  constructor() {
    super(502, 'peer-bad-response', 'The other provider gave an answer that cannot be understood.')
  }
}

/** What a local client gets when another provider did not do what it was asked for, outside of any room. */
export function peerProblem(answer: PeerAnswer): Problem {
  switch (answer.kind) {
    case 'answered':
      return refusalOf(answer, secondsOf(answer))
    case 'unsigned':
      return answer.status === 429 ? limitedBy(answer) : new PeerUnreachable(secondsOf(answer))
    case 'denied':
      return new ProviderDenied(answer.peer)
    case 'clock-off':
      return new PeerRefused(`${answer.peer ?? 'The other provider'} counts for nothing now. ${answer.detail}`)
    case 'profile-unsupported':
    case 'no-endpoint':
    case 'refused-url':
    case 'refused-address':
      return new PeerRefused(answer.detail)
    default:
      return new PeerUnreachable()
  }
}

function refusalOf(answer: Extract<PeerAnswer, { kind: 'answered' }>, seconds: number | undefined): Problem {
  const { status } = answer
  if (status === 404) return new NotFound('The other provider has no such user.')
  if (status === 429) return limitedBy(answer)
  if (status >= 500) return new PeerUnreachable(seconds)
  return new PeerRefused(refusalBy(answer, 'The other provider'))
}

/** Also a proxy's limit, unsigned: the request may be sent again in any case. */
function limitedBy(answer: { readonly retryAfter: string | undefined }): RateLimited {
  return new RateLimited(secondsOf(answer) ?? 5)
}

function secondsOf({ retryAfter }: { readonly retryAfter: string | undefined }): number | undefined {
  return capRetryAfter(parseRetryAfter(retryAfter, Date.now()))
}

/** Who refuses whom, where the answer says so. */
function refusalBy({ peer, status, problem }: Extract<PeerAnswer, { kind: 'answered' }>, who: string): string {
  if (problem === 'urn:microchat:problem:peer-denied') return `${peer ?? who} does not federate with this server.`
  return `${peer ?? who} refuses this server's request (${status}${problem ? `, ${problem}` : ''}).`
}

/** The hub answered, and not in the way that was agreed. */
export class HubBadResponse extends Problem {
  constructor() {
    super(502, 'hub-bad-response', "The group's hub gave an answer that cannot be understood.")
  }
}

/** The hub cannot be reached; whether it took the submission is not known. The same bytes may be sent again. */
class HubUnreachable extends Problem {
  constructor(seconds = 5) {
    super(503, 'hub-unreachable', "The group's hub does not answer now. The same submission may be sent again.")
    this.retryAfter = seconds
  }
}

/** The hub refuses this server, not the user; the operator has to see to it. */
export class HubRefused extends Problem {
  constructor(detail: string) {
    super(502, 'hub-refused', detail)
  }
}

/** What a local client gets when its group's hub gave no answer of the agreed form. */
export function hubProblem(answer: PeerAnswer): Problem {
  switch (answer.kind) {
    case 'answered': {
      if (answer.status === 429) return limitedBy(answer)
      if (answer.status === 404 && answer.problem === 'urn:microchat:problem:not-the-hub') return new NotTheHub()
      if (answer.status >= 500) return new HubUnreachable(secondsOf(answer))
      return new HubRefused(refusalBy(answer, "The group's hub"))
    }
    case 'unsigned':
      return answer.status === 429 ? limitedBy(answer) : new HubUnreachable(secondsOf(answer))
    case 'denied':
      return new ProviderDenied(answer.peer)
    case 'clock-off':
      return new HubRefused(`${answer.peer ?? "The group's hub"} counts for nothing now. ${answer.detail}`)
    case 'profile-unsupported':
    case 'no-endpoint':
    case 'refused-url':
    case 'refused-address':
      return new HubRefused(answer.detail)
    case 'no-directory':
      return new Unavailable("The directory of the group's hub cannot be read.", 30)
    default:
      return new HubUnreachable()
  }
}
