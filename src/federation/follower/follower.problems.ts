import { Problem, RateLimited, Unavailable } from '../../platform/http/problem.js'
import { parseRetryAfter } from '../../protocol/retry-policy.js'
import { capRetryAfter } from '../cap-retry-after.js'
import { ProviderDenied } from '../peer-problems.js'
import type { PeerAnswer } from '../signed-client/peer-answer.js'

/** The hub answered, and not in the way that was agreed. */
export class HubBadResponse extends Problem {
  constructor() {
    super(502, 'hub-bad-response', "The group's hub gave an answer that cannot be understood.")
  }
}

/** The hub cannot be reached; whether it took the submission is not known. The same bytes may be sent again. */
export class HubUnreachable extends Problem {
  constructor(seconds = 5) {
    super(503, 'hub-unreachable', "The group's hub does not answer now. The same submission may be sent again.")
    this.retryAfter = seconds
  }
}

export class HubRefused extends Problem {
  constructor(detail: string) {
    super(502, 'hub-refused', detail)
  }
}

/** What a local client gets when its group's hub gave no answer of the agreed form. */
export function hubProblem(answer: PeerAnswer): Problem {
  switch (answer.kind) {
    case 'answered': {
      const seconds = capRetryAfter(parseRetryAfter(answer.retryAfter, Date.now()))
      if (answer.status === 429) return new RateLimited(seconds ?? 5)
      if (answer.status >= 500) return new HubUnreachable(seconds)
      return new HubRefused(
        `The group's hub refuses this server's request (${answer.status}${answer.problem ? `, ${answer.problem}` : ''}).`,
      )
    }
    case 'unsigned':
      return new HubUnreachable(capRetryAfter(parseRetryAfter(answer.retryAfter, Date.now())))
    case 'denied':
      return new ProviderDenied()
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

/** A batch whose entries cannot be those of the log that it is said to be of. */
export class BatchRefused extends Problem {
  constructor(why: string) {
    super(422, 'batch-refused', `Invalid batch: ${why}.`)
  }
}

export class RosterRefused extends Problem {
  constructor(why: string) {
    super(422, 'roster-refused', `Invalid roster: ${why}.`)
  }
}

/** Ids are fixed at first sight; nobody's group can be taken over, nor ours be shadowed. */
export class HomeElsewhere extends Problem {
  constructor() {
    super(409, 'home-elsewhere', 'Another provider is the hub of this group.')
  }
}
