import { DEVICE_LIST_CERTIFICATES } from '../../authentication/device-list/daily-certificates.js'
import { X509_LIMITS } from '../../authentication/x509/certificate-issuance.js'
import { ACCOUNT_LIMITS } from '../../accounts/accounts.limits.js'
import { GROUP_RATES } from '../../groups/limits/group-rates.js'
import type { DescribedLimit } from '../../platform/limits/described-limit.js'

const TOO_MANY = '429 with Retry-After'

/** Rates. With Redis they are shared by all nodes, without it each process counts (`src/platform/limits/limits.ts`). */
export const RATE_LIMITS: readonly DescribedLimit[] = [
  {
    name: 'login',
    holder: 'address',
    what: 'challenges, logins and registrations per minute',
    setting: 'LOGINS_PER_MINUTE',
    refusal: TOO_MANY,
  },
  { name: 'refresh', holder: 'address', what: 'refreshes of sessions per minute', setting: 'LOGINS_PER_MINUTE', refusal: TOO_MANY },
  ...ACCOUNT_LIMITS,
  ...GROUP_RATES,
  { name: 'claims-by', holder: 'account', what: 'KeyPackage claims per minute', setting: 'CLAIMS_PER_MINUTE', refusal: TOO_MANY },
  {
    name: 'claims-pair',
    holder: 'account',
    what: 'KeyPackage claims of one account against one other per minute',
    setting: 'CLAIMS_PER_PAIR_PER_MINUTE',
    refusal: TOO_MANY,
  },
  {
    name: 'claims-of',
    holder: 'account',
    what: 'KeyPackage claims against one account per minute, by all others of this provider together',
    setting: 'CLAIMS_PER_TARGET_PER_MINUTE',
    refusal: TOO_MANY,
  },
  {
    name: 'claims-of-by-peer',
    holder: 'peer',
    what: 'KeyPackage claims against one account per minute, by users of the peer whom the account knows, and as many by others',
    setting: 'CLAIMS_PER_TARGET_PER_MINUTE',
    refusal: TOO_MANY,
  },
  {
    name: 'tokens-elsewhere',
    holder: 'account',
    what: 'requests for send tokens of other providers per minute',
    value: 20,
    refusal: TOO_MANY,
  },
  { name: 'sealed-token', holder: 'account', what: 'posts that show one send token, per minute', value: 20, refusal: TOO_MANY },
  {
    name: 'sealed-group',
    holder: 'group',
    what: 'posts without a sender per minute',
    setting: 'SEALED_MESSAGES_PER_MINUTE',
    refusal: TOO_MANY,
  },
  {
    name: 'device-list-changes',
    holder: 'device',
    what: 'attempts to change the user’s device list per hour, as many new heads, and as many decisions on changes that wait; a key of no device has its own',
    value: 60,
    refusal: TOO_MANY,
  },
  DEVICE_LIST_CERTIFICATES,
  {
    name: 'device-lists-elsewhere',
    holder: 'account',
    what: 'look-ups of device lists of other providers’ users per minute',
    value: 600,
    refusal: TOO_MANY,
  },
  ...Object.values(X509_LIMITS),
  {
    name: 'device-list-checks-by',
    holder: 'account',
    what: 'signatures that are checked in look-ups of device lists of other providers’ users per minute; a list with more takes what is left',
    value: 2_000,
    refusal: TOO_MANY,
  },
  {
    name: 'device-list-checks-of',
    holder: 'peer',
    what: 'signatures in device lists of its users that are checked as a device of the user may join a group here, per minute',
    value: 12_000,
    refusal: TOO_MANY,
  },
  { name: 'consents-by', holder: 'account', what: 'requests for consent and decisions per minute', value: 60, refusal: TOO_MANY },
  {
    name: 'identifier-queries-by',
    holder: 'account',
    what: 'searches for users of other providers per minute',
    value: 30,
    refusal: TOO_MANY,
  },
  {
    name: 'identifier-queries-of',
    holder: 'peer',
    what: 'searches for users of this provider per minute',
    setting: 'IDENTIFIER_QUERIES_PER_MINUTE',
    refusal: TOO_MANY,
  },
  { name: 'abuse-reports-by', holder: 'account', what: 'abuse reports per hour', setting: 'ABUSE_REPORTS_PER_HOUR', refusal: TOO_MANY },
  {
    name: 'abuse-reports-of',
    holder: 'peer',
    what: 'abuse reports per hour',
    setting: 'ABUSE_REPORTS_PER_PEER_PER_HOUR',
    refusal: TOO_MANY,
  },
  {
    name: 'peer-requests',
    holder: 'peer',
    what: 'signed requests per minute',
    setting: 'FEDERATION_REQUESTS_PER_MINUTE',
    refusal: TOO_MANY,
  },
  {
    name: 'foreign-refreshes',
    holder: 'peer',
    what: 'look-ups of its users per minute',
    value: 600,
    refusal: 'the request that needs them waits',
  },
]
