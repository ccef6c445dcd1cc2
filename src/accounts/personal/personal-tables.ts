import { ACCOUNT } from './tables-of-accounts.js'
import { IDENTITIES } from './tables-of-identities.js'
import { IN_GROUPS } from './tables-of-groups.js'
import { bytes, seconds, type PersonalTable } from './personal-table.js'

/** What its user and others have decided about each other, and tokens. */
const RELATIONS: readonly PersonalTable[] = [
  {
    table: 'consent',
    of: 'user',
    column: 'target',
    exported: {
      section: 'consents',
      about: 'what this user has decided about others, and their requests',
      key: [
        ['x.requester', 'text'],
        ['x.room', 'text'],
      ],
      fields: {
        requester: 'x.requester',
        room: `nullif(x.room, '')`,
        state: 'x.state',
        asked_at: seconds('x.asked_at'),
        changed_at: seconds('x.changed_at'),
      },
    },
    erased: 'deleted',
  },
  {
    table: 'consent',
    of: 'user',
    column: 'requester',
    exported: {
      section: 'consent_requests',
      about: 'what this user has asked of others, and what they let it know of their decision',
      key: [
        ['x.target', 'text'],
        ['x.room', 'text'],
      ],
      // A revocation may be the target's secret: only what was told is shown, and no time by which it shows itself.
      fields: { target: 'x.target', room: `nullif(x.room, '')`, told: 'x.told', asked_at: seconds('x.asked_at') },
      only: 'x.asked_at IS NOT NULL OR x.told IS NOT NULL',
    },
    erased: 'deleted',
  },
  {
    table: 'introduction',
    of: 'account',
    column: 'account_id',
    exported: {
      section: 'introductions',
      about: 'providers that may look this user up, as they were sent a request or KeyPackages of it, and until when',
      key: [['x.domain', 'text']],
      fields: { provider: 'x.domain', until: seconds('x.until') },
    },
    erased: 'deleted',
  },
  {
    table: 'user_block',
    of: 'user',
    column: 'blocker',
    exported: {
      section: 'blocks',
      about: 'users whom this user has blocked',
      key: [['x.blocked', 'text']],
      fields: { user: 'x.blocked', since: seconds('x.created_at') },
    },
    erased: 'deleted',
  },
  {
    table: 'user_block',
    of: 'user',
    column: 'blocked',
    exported: { hidden: 'who has blocked somebody is for that one to know' },
    erased: { stays: 'others decided so, and it holds for all who come back under the name' },
  },
  {
    table: 'abuse_report',
    of: 'user',
    column: 'reporter',
    exported: {
      section: 'abuse_reports',
      about: 'reports of abuse by this user',
      key: [['x.id', 'bigint']],
      fields: {
        room: 'x.room_id',
        alleged_abuser: 'x.alleged_abuser',
        reason: 'x.reason',
        note: 'x.note',
        messages: 'x.messages',
        reported_at: seconds('x.reported_at'),
        closed_at: seconds('x.closed_at'),
      },
    },
    erased: { changed: 'reporter = $4::text' },
  },
  {
    table: 'abuse_report',
    of: 'user',
    column: 'alleged_abuser',
    exported: { hidden: 'they are for the operator: who reported abuse is protected from the one who was reported' },
    erased: { changed: 'alleged_abuser = $4::text' },
  },
  {
    table: 'token_quota',
    of: 'user',
    column: 'holder',
    exported: {
      section: 'send_tokens',
      about: 'how many send tokens of each key were signed; which of them were spent, the server cannot tell',
      key: [
        ['x.issuer', 'text'],
        ['x.key_id', 'bytea'],
      ],
      fields: {
        issuer: 'x.issuer',
        key_id: bytes('x.key_id'),
        issued: 'x.issued',
        batches: '(SELECT count(*) FROM token_batch b WHERE b.issuer = x.issuer AND b.key_id = x.key_id AND b.holder = x.holder)',
        kept_answers: '(SELECT count(*) FROM token_answer a WHERE a.issuer = x.issuer AND a.key_id = x.key_id AND a.holder = x.holder)',
        forgotten_at: seconds('x.forget_at'),
      },
    },
    erased: 'deleted',
  },
]

/** Every table that says something about an account, in the order in which its rows go. All others are in `NOT_PERSONAL`. */
export const PERSONAL_TABLES: readonly PersonalTable[] = [...RELATIONS, ...IN_GROUPS, ...IDENTITIES, ...ACCOUNT]

const WITH_QUOTA = 'counted in the section send_tokens, and goes with its row there'
const OF_GROUPS = 'names no account: it is of a group, for all its members, and goes with the group or by retention'
const OF_SERVER = 'of the server and its peers; names no user'

/** Tables that are neither exported nor erased by account, and why. */
export const NOT_PERSONAL: Readonly<Record<string, string>> = {
  foreign_key_package: 'of users of other providers only; goes with the claim of the KeyPackage',
  challenge: 'names a client for two minutes, known or not, and then goes',
  device_news: 'numbers of devices, for fifteen minutes',
  token_batch: WITH_QUOTA,
  token_answer: WITH_QUOTA,
  spent_token: 'nobody can tell whose token it was',
  log: 'has no sender column. Handshakes of a public group hold leaves with names, those of its other members too: they stay until retention',
  welcome: 'encrypted; read by the inbox of each device that it is for, which names it',
  group_info: OF_GROUPS,
  group_tree: OF_GROUPS,
  group_snapshot: OF_GROUPS,
  draft_tree: OF_GROUPS,
  draft_taken: 'hashes of messages that a hub has accepted, until their places are known, for a day at most; names no sender',
  group_policy: OF_GROUPS,
  group_remains: OF_GROUPS,
  commit_claim: 'clients that a private Commit is said to have removed, for the other members to compare; until retention',
  incarnation_start: OF_GROUPS,
  room: OF_GROUPS,
  followed_group: OF_GROUPS,
  peer_cursor: OF_GROUPS,
  peer_deletion: OF_GROUPS,
  evidence: OF_GROUPS,
  kept_head: OF_GROUPS,
  incarnation_begun: OF_GROUPS,
  vanished_entry: OF_GROUPS,
  kept_directory: OF_SERVER,
  peer: OF_SERVER,
  peer_storage: OF_SERVER,
  peer_key: OF_SERVER,
  peer_past_key: OF_SERVER,
  provider_refusal: OF_SERVER,
  provider_key: OF_SERVER,
  provider_directory: OF_SERVER,
  external_sender_key: OF_SERVER,
  token_signing_key: OF_SERVER,
  x509_authority: OF_SERVER,
  issuer_key: OF_SERVER,
  token_issuer: OF_SERVER,
  federation_nonce: OF_SERVER,
  federation_result: 'answers to requests of peers, by their hash, for ten minutes',
  deployment: OF_SERVER,
  function_file: OF_SERVER,
  _prisma_migrations: OF_SERVER,
}
