import type { DescribedLimit } from '../../platform/limits/described-limit.js'

const HELD_BACK = '429 `held-back` with Retry-After: its hub tries again, and other groups go on'

/** Rows of docs/limits.md: what another provider may have stored here, as a hub and otherwise. */
export const PEER_QUOTAS = {
  newGroup: {
    name: 'peer-new-group-bytes',
    holder: 'group',
    what: 'bytes that a hub stores of a group before a member here has fetched its Welcome, acknowledged an entry or joined by itself; 256 more count for each entry',
    value: 1_048_576,
    refusal: HELD_BACK,
  },
  joinedGroup: {
    name: 'peer-joined-group-bytes',
    holder: 'group',
    what: 'bytes that a hub stores of a group before a member here has acknowledged half of what came since it joined; after that GROUP_MAX_BYTES and a quarter more',
    value: 67_108_864,
    refusal: HELD_BACK,
  },
  newOfUser: {
    name: 'peer-new-bytes-of-user',
    holder: 'account',
    what: 'bytes of groups of one hub that came by this account and that nobody here has taken up',
    value: 16_777_216,
    refusal: HELD_BACK,
  },
  newOfPeer: {
    name: 'peer-new-bytes',
    holder: 'peer',
    what: 'bytes of its groups that nobody here has taken up',
    value: 268_435_456,
    refusal: HELD_BACK,
  },
  groupsOfUser: {
    name: 'peer-new-groups-of-user',
    holder: 'account',
    what: 'groups of one hub that came by this account and that nobody here has taken up',
    value: 200,
    refusal: HELD_BACK,
  },
  groupsOfPeer: {
    name: 'peer-new-groups',
    holder: 'peer',
    what: 'its groups that nobody here has taken up',
    value: 10_000,
    refusal: HELD_BACK,
  },
  daysOfNewGroup: {
    name: 'peer-new-group-days',
    holder: 'group',
    what: 'days since a device here was last added to a group of a hub that nobody here has taken up; KEY_PACKAGE_MAX_AGE if that is longer, since a Welcome is good for as long as its KeyPackage',
    value: 90,
    refusal: 'the group is forgotten here, with all that hangs on it; another Welcome brings it back',
  },
  welcomes: {
    name: 'peer-welcomes-of-user',
    holder: 'account',
    what: 'Welcomes of one hub that wait in the inboxes of the devices of this account',
    value: 500,
    refusal: HELD_BACK,
  },
} as const satisfies Record<string, DescribedLimit>

/** Those that have a setting. */
export const PEER_QUOTA_SETTINGS: readonly DescribedLimit[] = [
  {
    name: 'peer-bytes-per-minute',
    holder: 'peer',
    what: 'bytes of its requests, and of log entries that are fetched from it, per minute',
    setting: 'FEDERATION_BYTES_PER_MINUTE',
    refusal: '429 with Retry-After',
  },
  {
    name: 'peer-bytes-of-user',
    holder: 'account',
    what: 'bytes of all groups of one hub that came by this account',
    setting: 'FEDERATION_USER_MAX_BYTES',
    refusal: HELD_BACK,
  },
  {
    name: 'peer-bytes',
    holder: 'peer',
    what: 'bytes of all its groups that are kept here',
    setting: 'FEDERATION_PEER_MAX_BYTES',
    refusal: HELD_BACK,
  },
]
