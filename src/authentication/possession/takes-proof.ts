import { ApiHeader } from '@nestjs/swagger'

/** The session that the route opens or continues is bound to the key of a proof, where one comes or is demanded. */
export const TakesProof = () =>
  ApiHeader({
    name: 'DPoP',
    required: false,
    description:
      'A proof of the key that the session is bound to (RFC 9449 §4.2), without `ath`. Needed unless ACCESS_TOKENS=bearer-allowed',
  })

export const PROOF_PROBLEMS = ['dpop-required', 'dpop-refused', 'dpop-stale'] as const
