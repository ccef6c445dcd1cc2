import { bytes, client, seconds, type PersonalTable } from './personal-table.js'

/** The account itself, its devices, and what they hold. */
export const ACCOUNT: readonly PersonalTable[] = [
  {
    table: 'account',
    of: 'account',
    column: 'id',
    exported: {
      section: 'account',
      about: 'the account',
      key: [['x.id', 'bigint']],
      fields: {
        user: 'x.user_uri',
        created_at: seconds('x.created_at'),
        searchable: 'NOT EXISTS (SELECT FROM unsearchable_account u WHERE u.account_id = x.id)',
        invitations: `CASE WHEN EXISTS (SELECT FROM asking_account u WHERE u.account_id = x.id) THEN 'ask' ELSE 'open' END`,
      },
    },
    erased: 'last',
  },
  { table: 'unsearchable_account', of: 'account', column: 'account_id', exported: { hidden: 'in the section account' }, erased: 'deleted' },
  { table: 'asking_account', of: 'account', column: 'account_id', exported: { hidden: 'in the section account' }, erased: 'deleted' },
  {
    table: 'device',
    of: 'account',
    column: 'account_id',
    exported: {
      section: 'devices',
      about: 'devices, revoked ones included',
      key: [['x.id', 'bigint']],
      fields: {
        client: 'x.client_uri',
        since: seconds('x.created_at'),
        revoked_at: seconds('x.revoked_at'),
        ended_sessions: 'x.session_generation',
      },
    },
    erased: 'last',
  },
  {
    table: 'signature_key',
    of: 'devices',
    column: 'device_id',
    exported: {
      section: 'signature_keys',
      about: 'public signature keys of the devices',
      key: [['x.id', 'bigint']],
      fields: {
        ...client,
        scheme: 'x.scheme',
        public_key: bytes('x.public_key'),
        valid_from: seconds('x.valid_from'),
        valid_until: seconds('x.valid_until'),
        revoked_at: seconds('x.revoked_at'),
        successor: `(SELECT ${bytes('s.public_key')} FROM signature_key s WHERE s.id = x.successor_id)`,
      },
    },
    erased: 'last',
  },
  {
    table: 'refresh_token',
    of: 'devices',
    column: 'device_id',
    exported: {
      section: 'sessions',
      about: 'sessions; of their refresh tokens there are hashes, which are of use to nobody',
      key: [['x.family', 'uuid']],
      fields: { ...client, last_used: seconds('x.rotated_at'), expires_at: seconds('x.expires_at') },
    },
    erased: 'deleted',
  },
  {
    table: 'invite',
    of: 'account',
    column: 'account_id',
    exported: {
      section: 'invites',
      about: 'codes for a device of the account; the server has their hashes',
      key: [['x.code_hash', 'bytea']],
      fields: { uses_left: 'x.uses_left', expires_at: seconds('x.expires_at') },
    },
    erased: 'deleted',
  },
  {
    table: 'key_package',
    of: 'devices',
    column: 'device_id',
    exported: {
      section: 'key_packages',
      about: 'KeyPackages that nobody has claimed, or of last resort, as they were uploaded',
      key: [
        ['x.device_id', 'bigint'],
        ['x.id', 'bigint'],
      ],
      fields: {
        ...client,
        ref: bytes('x.ref'),
        cipher_suite: 'x.cipher_suite',
        last_resort: 'x.last_resort',
        expires_at: seconds('x.expires_at'),
        key_package: bytes('x.bytes'),
      },
    },
    erased: 'deleted',
  },
  {
    table: 'key_package_claim',
    of: 'devices',
    column: 'device_id',
    exported: {
      section: 'claimed_key_packages',
      // Who took one and has not added its owner may have meant to: that is for them to say.
      about: 'KeyPackages that were given to others, or may have been',
      key: [['x.ref', 'bytea']],
      fields: { ...client, ref: bytes('x.ref'), used: 'x.used', expires_at: seconds('x.expires_at') },
    },
    erased: 'deleted',
  },
  {
    table: 'key_package_claim',
    of: 'user',
    column: 'claimer',
    exported: {
      section: 'claims',
      about: 'KeyPackages of others that this user was given and has not used',
      key: [['x.ref', 'bytea']],
      fields: { ...client, ref: bytes('x.ref'), expires_at: seconds('x.expires_at') },
    },
    erased: { changed: 'claimer = NULL' },
  },
  {
    table: 'draft_claim',
    of: 'account',
    column: 'account_id',
    exported: { hidden: 'the KeyPackages of the section claimed_key_packages, as a provider was given them, for 30 days at most' },
    erased: 'deleted',
  },
  {
    table: 'handed_out_key_package',
    of: 'devices',
    column: 'device_id',
    exported: {
      section: 'key_packages_for_rooms_elsewhere',
      about: 'KeyPackages that were given to others for rooms of other providers',
      key: [
        ['x.ref', 'bytea'],
        ['x.room_id', 'text'],
      ],
      fields: {
        ...client,
        ref: bytes('x.ref'),
        room: 'x.room_id',
        used: 'x.used_gid IS NOT NULL',
        expires_at: seconds('x.expires_at'),
      },
    },
    erased: 'deleted',
  },
  {
    table: 'passed_commit',
    of: 'devices',
    column: 'device_id',
    exported: {
      section: 'joins_elsewhere',
      about: 'Commits by which devices joined rooms of other providers by themselves, for thirty days',
      key: [
        ['x.hash', 'bytea'],
        ['x.room_id', 'text'],
      ],
      fields: { ...client, hash: bytes('x.hash'), room: 'x.room_id', passed_at: seconds('x.passed_at') },
    },
    erased: 'deleted',
  },
  {
    table: 'foreign_user',
    of: 'account',
    column: 'account_id',
    exported: { hidden: 'there are none of users of this provider' },
    erased: 'deleted',
  },
  {
    table: 'foreign_signature_key',
    of: 'devices',
    column: 'device_id',
    exported: { hidden: 'there are none of users of this provider' },
    erased: 'deleted',
  },
]
