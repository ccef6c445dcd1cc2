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

/** Why another provider did not do what it was asked for: members of the problem, for clients that show or count it. */
export interface Trouble {
  /** Domain of the provider that was asked. */
  readonly provider?: string
  readonly reason?: TroubleReason
  /** Type of the provider's own problem. */
  readonly problem?: string
  /** Seconds by which the provider's clock is ahead of this server's, negative where it is behind. */
  readonly clock_offset?: number
}

export const TROUBLE_REASONS = [
  'denied-here',
  'denied-there',
  'clock-off',
  'refused',
  'failing',
  'unsigned',
  'unanswered',
  'profile-unsupported',
  'no-endpoint',
  'refused-url',
  'refused-address',
  'no-directory',
] as const
export type TroubleReason = (typeof TROUBLE_REASONS)[number]

const PEER_DENIED = 'urn:microchat:problem:peer-denied'
const PROBLEM_TYPE = /^urn:microchat:problem:([a-z0-9-]{1,64})$/

/** What an answer that is no success says of the provider that was asked. */
function troubleOf(answer: PeerAnswer): Trouble & Record<string, unknown> {
  const asked = answer.peer === undefined ? {} : { provider: answer.peer }
  switch (answer.kind) {
    case 'answered': {
      const [, problem] = PROBLEM_TYPE.exec(answer.problem ?? '') ?? []
      const reason = answer.problem === PEER_DENIED ? 'denied-there' : answer.status >= 500 ? 'failing' : 'refused'
      return { ...asked, reason, ...(problem !== undefined && { problem }) }
    }
    case 'clock-off':
      return { ...asked, reason: 'clock-off', clock_offset: answer.ahead }
    case 'denied':
      return { ...asked, reason: 'denied-here' }
    case 'unsigned':
    case 'profile-unsupported':
    case 'no-endpoint':
    case 'refused-url':
    case 'refused-address':
    case 'no-directory':
      return { ...asked, reason: answer.kind }
    default:
      return { ...asked, reason: 'unanswered' }
  }
}

class PeerUnreachable extends Problem {
  constructor(trouble: Trouble & Record<string, unknown>, seconds = 5) {
    super(503, 'peer-unreachable', 'The other provider does not answer now. The same request may be sent again.', trouble)
    this.retryAfter = seconds
  }
}

/** By this server's own settings: FEDERATION is off, or does not admit that provider. */
class ProviderDenied extends Problem {
  constructor(answer: PeerAnswer) {
    super(403, 'provider-denied', `This server does not federate with ${answer.peer ?? 'that provider'}.`, troubleOf(answer))
  }
}

class PeerRefused extends Problem {
  constructor(detail: string, answer: PeerAnswer) {
    super(502, 'peer-refused', detail, troubleOf(answer))
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
      return answer.status === 429 ? limitedBy(answer) : new PeerUnreachable(troubleOf(answer), secondsOf(answer))
    case 'denied':
      return new ProviderDenied(answer)
    case 'clock-off':
      return new PeerRefused(`${answer.peer ?? 'The other provider'} counts for nothing now. ${answer.detail}`, answer)
    case 'profile-unsupported':
    case 'no-endpoint':
    case 'refused-url':
    case 'refused-address':
      return new PeerRefused(answer.detail, answer)
    default:
      return new PeerUnreachable(troubleOf(answer))
  }
}

function refusalOf(answer: Extract<PeerAnswer, { kind: 'answered' }>, seconds: number | undefined): Problem {
  const { status } = answer
  if (status === 404) return new NotFound('The other provider has no such user.')
  if (status === 429) return limitedBy(answer)
  if (status >= 500) return new PeerUnreachable(troubleOf(answer), seconds)
  return new PeerRefused(refusalBy(answer, 'The other provider'), answer)
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
  if (problem === PEER_DENIED) return `${peer ?? who} does not federate with this server.`
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
  constructor(answer: PeerAnswer, seconds = 5) {
    super(503, 'hub-unreachable', "The group's hub does not answer now. The same submission may be sent again.", troubleOf(answer))
    this.retryAfter = seconds
  }
}

/** The hub refuses this server, not the user; the operator has to see to it. */
export class HubRefused extends Problem {
  constructor(detail: string, answer?: PeerAnswer) {
    super(502, 'hub-refused', detail, answer && troubleOf(answer))
  }
}

/** What a local client gets when its group's hub gave no answer of the agreed form. */
export function hubProblem(answer: PeerAnswer): Problem {
  switch (answer.kind) {
    case 'answered': {
      if (answer.status === 429) return limitedBy(answer)
      if (answer.status === 404 && answer.problem === 'urn:microchat:problem:not-the-hub') return new NotTheHub()
      if (answer.status >= 500) return new HubUnreachable(answer, secondsOf(answer))
      return new HubRefused(refusalBy(answer, "The group's hub"), answer)
    }
    case 'unsigned':
      return answer.status === 429 ? limitedBy(answer) : new HubUnreachable(answer, secondsOf(answer))
    case 'denied':
      return new ProviderDenied(answer)
    case 'clock-off':
      return new HubRefused(`${answer.peer ?? "The group's hub"} counts for nothing now. ${answer.detail}`, answer)
    case 'profile-unsupported':
    case 'no-endpoint':
    case 'refused-url':
    case 'refused-address':
      return new HubRefused(answer.detail, answer)
    case 'no-directory':
      return new Unavailable("The directory of the group's hub cannot be read.", 30)
    default:
      return new HubUnreachable(answer)
  }
}
