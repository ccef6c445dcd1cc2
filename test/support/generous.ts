/** Limits that a test's one address would hit where real clients have one each. */
export const GENEROUS = {
  LOGINS_PER_MINUTE: '100000',
  CLAIMS_PER_MINUTE: '100000',
  CLAIMS_PER_PAIR_PER_MINUTE: '100000',
  CLAIMS_PER_TARGET_PER_MINUTE: '100000',
  MESSAGES_PER_MINUTE: '1000000',
  FEDERATION_UNVERIFIED_PER_MINUTE: '100000',
}
