import type { DescribedLimit } from '../platform/limits/described-limit.js'
import type { Limit } from '../platform/limits/limits.js'

const MINUTE = 60
const DAY = 86_400

interface AccountRate extends DescribedLimit {
  readonly value: number
  readonly seconds: number
}

/** What the user of an account may ask about it, counted for the account or, what takes a proof, for the device. */
export const ACCOUNT_RATES = {
  reads: {
    name: 'account-reads',
    holder: 'account',
    what: 'reads of its own state per minute',
    value: 60,
    seconds: MINUTE,
    refusal: '429 with Retry-After',
  },
  deletions: {
    name: 'account-deletions',
    // A stolen session must not use up the owner's attempts.
    holder: 'device',
    what: 'attempts to delete its account per minute',
    value: 10,
    seconds: MINUTE,
    refusal: '429 with Retry-After',
  },
  exports: {
    name: 'account-exports',
    holder: 'account',
    what: 'pages of its export, of 200 records each, per day',
    value: 300,
    seconds: DAY,
    refusal: '429 with Retry-After',
  },
} as const satisfies Record<string, AccountRate>

/** Rows of docs/limits.md. */
export const ACCOUNT_LIMITS: readonly DescribedLimit[] = Object.values(ACCOUNT_RATES)

/** Nobody invents accounts of their own by the dozen and asks with each, so that the long windows are exact. */
export function accountLimit({ name, value, seconds }: AccountRate): Limit {
  return { name, points: value, seconds, ...(seconds > MINUTE && { exact: true }) }
}
