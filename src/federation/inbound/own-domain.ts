import { NotFound } from '../../platform/http/problem.js'

/** A provider answers for its own domain. */
export function refuseOtherDomain(domain: string, own: string): void {
  if (domain !== own) throw new NotFound('The domain is not served here.')
}
