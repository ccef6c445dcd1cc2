import { Problem } from '../../platform/http/problem.js'
import type { IdentifierResponse } from '../../protocol/mimi/identifier-query.js'

/** The provider that was asked, possibly this one, does not answer such queries, and says why. */
export class IdentifierQueryRefused extends Problem {
  constructor(code: Exclude<IdentifierResponse['code'], 'success' | 'not-found'>) {
    super(403, 'identifier-query-refused', 'The provider does not answer such queries.', { code })
  }
}
