import { ApiHeader } from '@nestjs/swagger'
import { z } from 'zod'
import type { ProblemTypes } from '../../platform/http/problem-types.js'
import { DPOP_CHALLENGE, Problem } from '../../platform/http/problem.js'

/** The session needs a key: there is no proof, or one that a token of this session is bound to was presented without. */
export class DpopRequired extends Problem {
  override challenge = DPOP_CHALLENGE
  constructor(detail = 'Sessions are bound to a key here: send a proof of it in the field DPoP (RFC 9449).') {
    super(401, 'dpop-required', detail)
  }
}

/** `replayed`: it was used before. `key`: it is not of the key that the token is bound to. */
const DpopFault = z.enum(['malformed', 'signature', 'request', 'token', 'key', 'replayed']).meta({
  description:
    'malformed: no proof of the form of RFC 9449 §4.2; signature: it does not verify under the public key in it; request: it is for another method or address; token: for another access token; key: of another key than the session’s; replayed: it was used before',
})

export class DpopRefused extends Problem {
  override challenge = `${DPOP_CHALLENGE}, error="invalid_dpop_proof"`
  constructor(reason: z.infer<typeof DpopFault>) {
    super(401, 'dpop-refused', `The proof in the field DPoP is not good for this request: ${reason}.`, { reason })
  }
}

/** The client's clock is off: it learns what time it is. */
export class DpopStale extends Problem {
  override challenge = `${DPOP_CHALLENGE}, error="invalid_dpop_proof"`
  constructor() {
    super(401, 'dpop-stale', 'The proof in the field DPoP is too old, or from the future.', { server_time: Math.floor(Date.now() / 1000) })
  }
}

/** What a request of a session, and the opening of one, can be refused for. */
export const PROOF_PROBLEMS = ['dpop-required', 'dpop-refused', 'dpop-stale'] as const

/** The session that the route opens or continues is bound to the key of a proof, where one comes or is demanded. */
export const TakesProof = () =>
  ApiHeader({
    name: 'DPoP',
    required: false,
    description:
      'A proof of the key that the session is bound to (RFC 9449 §4.2), without `ath`. Needed unless ACCESS_TOKENS=bearer-allowed',
  })

export const POSSESSION_PROBLEMS: ProblemTypes = {
  'dpop-required': {
    status: 401,
    when: 'The session is, or has to be, bound to a key, and there is no proof of it in the field `DPoP`.',
    client:
      'Send a proof of possession with each login, registration, refresh and request (RFC 9449), and the access token as `Authorization: DPoP …`.',
    retry: 'redo',
  },
  'dpop-refused': {
    status: 401,
    when: 'The proof of possession is not one for this request, by `reason`.',
    client: 'Make a new proof for each request, also for one that is sent again. With the reason `key`, log in again.',
    retry: 'redo',
    members: { reason: DpopFault },
  },
  'dpop-stale': {
    status: 401,
    when: 'The time in the proof of possession is more than a minute ago or 15 seconds ahead.',
    client: 'Correct the clock of proofs by `server_time`, and send the request again with a new one.',
    retry: 'redo',
    members: { server_time: z.int().meta({ description: 'The time at the server, Unix seconds' }) },
  },
}
