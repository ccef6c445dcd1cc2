import { judgeStatus, parseRetryAfter } from '../../protocol/retry-policy.js'
import type { PeerAnswer } from '../outbound/signed-client.js'

/** The peer as a whole cannot be served now. */
export interface Failed {
  readonly kind: 'failed'
  readonly why: string
  /** Seconds. */
  readonly retryAfter: number | undefined
}

/** Of the refusals with 403, which are otherwise of this server whatever it sends, those of one request. */
const FORBIDDEN_THIS = /:(foreign-domain|client-unknown)$/

/** An answer of the peer itself to what was asked, and not to who asks: something else may be answered otherwise. */
export function isOfTheGroup(answer: PeerAnswer): boolean {
  return answer.kind === 'answered' && judgeStatus(answer.status) !== 'delivered' && !isOfTheAsker(answer.status, answer.problem)
}

/** What passes when a clock, a key or a policy has been put right. */
function isOfTheAsker(status: number, problem: string | undefined): boolean {
  return status === 401 || (status === 403 && !FORBIDDEN_THIS.test(problem ?? ''))
}

/** Not so 404: an address may be put right. */
export function isPermanent(answer: PeerAnswer): boolean {
  return answer.kind === 'answered' && answer.status !== 404 && judgeStatus(answer.status) === 'permanent'
}

/** Given before the request was read, and therefore not signed; or by a proxy. */
export function isTooLarge(answer: PeerAnswer): boolean {
  return 'status' in answer && answer.status === 413
}

/** Why the peer could not be served, for the operator, and when it wants to be asked again. */
export function failed(answer: PeerAnswer): Failed {
  const why =
    answer.kind === 'answered' ? `The peer answers ${answer.status} ${answer.problem ?? ''}`.trim() : `${answer.kind}: ${answer.detail}`
  const retryAfter = 'retryAfter' in answer ? parseRetryAfter(answer.retryAfter, Date.now()) : undefined
  return { kind: 'failed', why, retryAfter }
}
