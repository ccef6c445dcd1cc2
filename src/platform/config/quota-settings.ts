import { Count, Size } from './units.js'

const GIB = 1024 ** 3
const TIB = 1024 * GIB

/** What accounts may ask of groups, and store in them. */
export const Quotas = {
  COMMITS_PER_MINUTE: Count(1, 1_000_000).default(300).describe('Commits per device and minute, in all its groups together.'),
  COMMITS_PER_GROUP_PER_MINUTE: Count(1, 1_000_000)
    .default(600)
    .describe('Accepted Commits per group and minute, of all members together that are no admins; of its admins as many again.'),
  PROPOSALS_PER_MINUTE: Count(1, 1_000_000).default(300).describe('Proposals and sender keys per device and minute.'),
  GROUPS_CREATED_PER_HOUR: Count(1, 1_000_000).default(200).describe('Groups that one account may create per hour.'),
  GROUP_READS_PER_MINUTE: Count(1, 1_000_000)
    .default(1_200)
    .describe('Reads of groups, policies, GroupInfos, trees and sender keys per account and minute.'),
  JOIN_CODE_GUESSES_PER_HOUR: Count(1, 1_000_000)
    .default(20)
    .describe('Wrong join codes per account and hour. Beyond it, the right one is refused as well.'),
  JOIN_CODE_GUESSES_PER_GROUP_PER_HOUR: Count(1, 1_000_000)
    .default(1_000)
    .describe('Wrong join codes per group and hour, of all accounts together. Beyond it, nobody joins this group by a code.'),
  ADDITIONS_PER_PAIR_PER_HOUR: Count(1, 1_000_000)
    .default(30)
    .describe('Groups per hour into which one account may put one device of another account.'),
  ADDITIONS_PER_DEVICE_PER_HOUR: Count(1, 1_000_000)
    .default(600)
    .describe('Groups per hour into which a device may be put by all other accounts together.'),
  ACCOUNT_DAILY_BYTES: Size(TIB)
    .default(2 * GIB)
    .describe('Bytes of messages, Commits, Proposals and new groups that one account may submit per day.'),
  GROUP_MAX_BYTES: Size(TIB)
    .default(GIB)
    .describe(
      'Bytes that one group may keep here: its log, Welcomes, GroupInfos, trees and snapshots. Commits and Proposals may take a quarter more, so that members can be removed from a group that is full.',
    ),
  ACCOUNT_MAX_BYTES: Size(TIB)
    .default(4 * GIB)
    .describe('Bytes that the groups which one account has created may keep together.'),
  ACCOUNT_MAX_GROUPS: Count(1, 1_000_000)
    .default(5_000)
    .describe('Groups that one account may have created, without those that were deleted.'),
}
