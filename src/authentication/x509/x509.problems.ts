import type { ProblemTypes } from '../../platform/http/problem-types.js'
import { Problem } from '../../platform/http/problem.js'

/** What the user's own keys do not say, the server's authority does not say either. */
export class KeyUncertified extends Problem {
  constructor() {
    super(409, 'key-uncertified', 'The account has a device list, and no active certificate in it names this key for this device.')
  }
}

export const X509_PROBLEMS: ProblemTypes = {
  'key-uncertified': {
    status: 409,
    when: 'An X.509 certificate is asked for a key that the account’s device list does not certify for this device now.',
    client: 'Have the device certified in the device list first (docs/identity.md §7).',
    retry: 'redo',
  },
}
