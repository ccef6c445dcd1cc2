import { bytes, client, group, IN_ITS_GROUPS, IS_IN, seconds, WAS_IN, type PersonalTable } from './personal-table.js'

const GID = ['x.gid', 'bigint'] as const
const DEVICE = ['x.device_id', 'bigint'] as const

/** What groups hold of an account. Those found by its memberships come before the memberships. */
export const IN_GROUPS: readonly PersonalTable[] = [
  {
    table: 'sender_key',
    of: 'account',
    column: 'user_id',
    rows: IN_ITS_GROUPS,
    exported: {
      section: 'sender_keys',
      about: 'keys for posts without a sender that this user has published',
      key: [GID, ['x.epoch', 'bigint']],
      fields: { ...group, epoch: 'x.epoch', public_key: bytes('x.public_key') },
    },
    erased: 'deleted',
  },
  {
    table: 'commit_report',
    of: 'account',
    column: 'user_id',
    rows: IN_ITS_GROUPS,
    exported: {
      section: 'commit_reports',
      about: 'Commits that this user has reported',
      key: [GID, ['x.seq', 'bigint']],
      fields: { ...group, seq: 'x.seq', reason: 'x.reason', reported_at: seconds('x.reported_at') },
    },
    erased: 'deleted',
  },
  {
    table: 'inbox',
    of: 'devices',
    column: 'device_id',
    exported: {
      section: 'inbox',
      about: 'items in the inboxes of the devices; a Welcome itself is read there',
      key: [DEVICE, ['x.id', 'bigint']],
      fields: {
        ...client,
        id: 'x.id',
        kind: 'x.kind',
        ...group,
        seq: 'x.seq',
        payload: 'x.payload',
        created_at: seconds('x.created_at'),
      },
    },
    erased: 'deleted',
  },
  {
    table: 'room_delivery',
    of: 'devices',
    column: 'device_id',
    exported: {
      section: 'muted_rooms',
      about: 'rooms that a device has muted or blocked',
      key: [DEVICE, ['x.room_id', 'text']],
      fields: { ...client, room: 'x.room_id', delivery: 'x.delivery' },
    },
    erased: 'deleted',
  },
  {
    table: 'accepted_room',
    of: 'account',
    column: 'account_id',
    exported: {
      section: 'accepted_rooms',
      about: 'rooms of strangers that this user has accepted',
      key: [['x.room_id', 'text']],
      fields: { room: 'x.room_id' },
    },
    erased: 'deleted',
  },
  {
    table: 'group_admin',
    of: 'account',
    column: 'user_id',
    exported: { section: 'admin_of', about: 'groups that this user administers', key: [GID], fields: group },
    erased: 'deleted',
  },
  {
    table: 'replica_storage',
    of: 'account',
    column: 'account_id',
    exported: {
      hidden: 'for whose groups of other providers space is used; that the user is in them is in the section of its memberships',
    },
    erased: { changed: 'account_id = NULL' },
  },
  {
    table: 'peer_user_storage',
    of: 'account',
    column: 'account_id',
    exported: { hidden: 'the sums of that' },
    erased: 'deleted',
  },
  {
    table: 'group_ban',
    of: 'account',
    column: 'user_id',
    exported: {
      section: 'bans',
      about: 'groups that ban this user, of those in which it was',
      key: [GID],
      fields: group,
      only: WAS_IN,
    },
    erased: {
      stays: 'the groups decided so, and it holds for all who come back under the name; until then there is a number, and no name',
    },
  },
  {
    table: 'group_outcast',
    of: 'account',
    column: 'user_id',
    exported: {
      section: 'removed_from_predecessor',
      about: 'groups that let this user in only by an Add, as it was removed from the group before; of those in which it was',
      key: [GID],
      fields: group,
      only: WAS_IN,
    },
    erased: 'deleted',
  },
  {
    table: 'outcast_device',
    of: 'devices',
    column: 'device_id',
    exported: {
      section: 'devices_removed_from_predecessor',
      about: 'the same for one device',
      key: [DEVICE, GID],
      fields: { ...client, ...group },
      only: WAS_IN,
    },
    erased: 'deleted',
  },
  {
    table: 'pending_removal',
    of: 'devices',
    column: 'device_id',
    rows: IN_ITS_GROUPS,
    exported: {
      section: 'pending_removals',
      about: 'devices that are to be removed from a group, as they left or were revoked',
      key: [DEVICE, GID],
      fields: { ...client, ...group, reason: 'x.reason' },
    },
    erased: { stays: 'the members find in it whom to remove; goes with the Commit that does' },
  },
  {
    table: 'groups',
    of: 'account',
    column: 'payer',
    rows: 'x.payer IS NOT NULL AND x.deleted_at IS NULL',
    exported: {
      section: 'created_groups',
      about: 'groups that this user has created; what they keep counts for its quota, and is shown while it is in them',
      key: [GID],
      fields: {
        group_id: bytes('x.group_id'),
        room: 'x.room_id',
        bytes: `CASE WHEN ${IS_IN} THEN x.bytes END`,
        created_at: seconds('x.created_at'),
      },
    },
    erased: { stays: 'the number of the account, so that nobody else pays for the group; no name' },
  },
  {
    table: 'peer_erasure',
    of: 'account',
    column: 'account_id',
    exported: { hidden: 'there are none before the account is deleted' },
    erased: { stays: 'until the provider has confirmed: then its name for the user is forgotten, and the receipt names none' },
  },
  {
    table: 'draft_member',
    of: 'devices',
    column: 'device_id',
    exported: { hidden: 'where the device stands in the trees of groups that the section memberships names' },
    erased: 'deleted',
  },
  {
    table: 'member',
    of: 'devices',
    column: 'device_id',
    exported: {
      section: 'memberships',
      about:
        'the intervals in which a device is, or was, in a group; positions in its log. hub: the provider where it is at home, if not here',
      key: [DEVICE, GID, ['x.from_seq', 'bigint']],
      fields: {
        ...client,
        ...group,
        room: '(SELECT g.room_id FROM groups g WHERE g.gid = x.gid)',
        hub: '(SELECT f.hub FROM followed_group f WHERE f.gid = x.gid)',
        from_seq: 'x.from_seq',
        until_seq: 'x.until_seq',
        ended: 'x.ended',
        join_epoch: 'x.join_epoch',
        acknowledged: 'x.acked',
        delivery: 'x.delivery',
        left_at_seq: 'x.read_until',
        resync: 'x.resync',
      },
    },
    // An interval that is open ends with the Commit that removes the leaf: until then the names are needed to recognise it. The provider of the user has to
    // hear of the end, by this row; one that cannot be reached for thirty days has its own bound for that.
    erasable: `x.until_seq IS NOT NULL AND NOT EXISTS (
      SELECT FROM peer_cursor c WHERE c.domain = provider_of($2) AND c.gid = x.gid AND c.acked < x.until_seq
         AND (SELECT a.deleted_at FROM account a WHERE a.id = $1) > now() - interval '30 days')`,
    erased: 'deleted',
  },
]
