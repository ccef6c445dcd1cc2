import type { DescribedLimit } from '../../platform/limits/described-limit.js'

const MINUTE = 60
const HOUR = 60 * MINUTE
const TOO_MANY = '429 with Retry-After'

/** As many times as much as one of its users may, all users of another provider may together: that provider can invent users. */
const PEER_FACTOR = 20
/** Fewer: with twice as many one provider would use up what a device may be added by all (`SHARED_RATES.additions`). */
const PEER_FACTOR_OF_PAIR = 10

/** What is counted for whom in a window of `seconds`. Windows longer than a minute have exact counters: nobody invents accounts, devices or groups. */
export interface GroupRate extends DescribedLimit {
  readonly seconds: number
  /** How many times what the setting says. */
  readonly times?: number
}

const rate = (row: Omit<GroupRate, 'refusal'>): GroupRate => ({ ...row, refusal: TOO_MANY })

/** Calls about groups, by caller. Every entry of operations-table.ts names one of these. */
export const CALL_RATES = {
  messages: rate({
    name: 'messages',
    holder: 'device',
    what: 'application messages per minute',
    setting: 'MESSAGES_PER_MINUTE',
    seconds: MINUTE,
  }),
  commits: rate({
    name: 'commits',
    holder: 'device',
    what: 'Commits per minute, in all groups together',
    setting: 'COMMITS_PER_MINUTE',
    seconds: MINUTE,
  }),
  proposals: rate({
    name: 'proposals',
    holder: 'device',
    what: 'Proposals and sender keys per minute',
    setting: 'PROPOSALS_PER_MINUTE',
    seconds: MINUTE,
  }),
  reads: rate({
    name: 'group-reads',
    holder: 'account',
    what: 'reads of groups, policies, GroupInfos, trees and sender keys per minute',
    setting: 'GROUP_READS_PER_MINUTE',
    seconds: MINUTE,
  }),
  administration: rate({
    name: 'group-administration',
    holder: 'account',
    what: 'changes of policies, admins and bans, resets and deletions of groups per minute',
    value: 300,
    seconds: MINUTE,
  }),
  leaves: rate({ name: 'leaves', holder: 'account', what: 'wishes to leave a group per hour', value: 600, seconds: HOUR }),
  choices: rate({
    name: 'choices',
    holder: 'account',
    what: 'groups and users that it mutes, blocks, accepts or declines per hour',
    value: 600,
    seconds: HOUR,
  }),
  reports: rate({ name: 'commit-reports', holder: 'account', what: 'reports of Commits per hour', value: 60, seconds: HOUR }),
  creations: rate({
    name: 'groups-created',
    holder: 'account',
    what: 'groups created per hour',
    setting: 'GROUPS_CREATED_PER_HOUR',
    seconds: HOUR,
  }),
  joiners: rate({
    name: 'joiners',
    holder: 'account',
    what: 'Proposals per hour by which somebody who is no member asks to be added',
    value: 60,
    seconds: HOUR,
  }),
  bytes: rate({
    name: 'submitted-bytes',
    holder: 'account',
    what: 'bytes of messages, Commits, Proposals and new groups per day; what is refused does not count',
    setting: 'ACCOUNT_DAILY_BYTES',
    seconds: 24 * HOUR,
  }),
  guesses: rate({
    name: 'join-code-guesses',
    holder: 'account',
    what: 'wrong join codes per hour; beyond it the right one is refused as well',
    setting: 'JOIN_CODE_GUESSES_PER_HOUR',
    seconds: HOUR,
  }),
  pair: rate({
    name: 'additions-pair',
    holder: 'account',
    what: 'groups per hour into which it puts one device of another account',
    setting: 'ADDITIONS_PER_PAIR_PER_HOUR',
    seconds: HOUR,
  }),
} as const
export type CallRate = keyof typeof CALL_RATES

/** What counts for one group or device, no matter who asks. */
export const SHARED_RATES = {
  commits: rate({
    name: 'commits-of-group',
    holder: 'group',
    what: 'accepted Commits per minute of all members that are no admins; of its admins as many again',
    setting: 'COMMITS_PER_GROUP_PER_MINUTE',
    seconds: MINUTE,
  }),
  guesses: rate({
    name: 'join-code-guesses-of-group',
    holder: 'group',
    what: 'wrong join codes per hour, of all accounts together; beyond it nobody joins by a code',
    setting: 'JOIN_CODE_GUESSES_PER_GROUP_PER_HOUR',
    seconds: HOUR,
  }),
  additions: rate({
    name: 'additions-of',
    holder: 'device',
    what: 'groups per hour into which it is put by all other accounts together',
    setting: 'ADDITIONS_PER_DEVICE_PER_HOUR',
    seconds: HOUR,
  }),
} as const
export type SharedRate = keyof typeof SHARED_RATES

/** The same calls, of all users of another provider. */
export function peerRate(row: GroupRate): GroupRate {
  const factor = row === CALL_RATES.pair ? PEER_FACTOR_OF_PAIR : PEER_FACTOR
  return {
    ...row,
    name: `${row.name}-of-peer`,
    holder: 'peer',
    what: `${row.what}, of all its users${row.setting === undefined ? '' : `; ${factor} times the setting`}`,
    ...(row.value === undefined ? { times: factor } : { value: row.value * factor }),
  }
}

/** Rows of docs/limits.md. */
export const GROUP_RATES: readonly GroupRate[] = [
  ...Object.values(CALL_RATES),
  ...Object.values(CALL_RATES).map(peerRate),
  ...Object.values(SHARED_RATES),
]
