import { bytes, seconds, type PersonalTable } from './personal-table.js'

/** What the user's own keys say of the user's devices. */
export const IDENTITIES: readonly PersonalTable[] = [
  {
    table: 'device_list',
    of: 'account',
    column: 'account_id',
    exported: {
      section: 'device_list',
      about: 'the newest state of the device list: its entries are in the section device_list_entries',
      key: [['x.account_id', 'bigint']],
      fields: {
        identity: bytes('x.identity'),
        identities: 'x.identities',
        number: 'x.number',
        head: bytes('x.head'),
        head_expires_at: seconds('x.head_expires_at'),
      },
    },
    erased: 'deleted',
  },
  {
    table: 'device_list_entry',
    of: 'account',
    column: 'account_id',
    exported: {
      section: 'device_list_entries',
      about: 'entries of the device list, and of those of former identities',
      key: [
        ['x.identity', 'bytea'],
        ['x.number', 'int'],
      ],
      fields: { identity: bytes('x.identity'), number: 'x.number', entry: bytes('x.bytes') },
    },
    erased: 'deleted',
  },
  {
    table: 'device_certificate',
    of: 'account',
    column: 'account_id',
    exported: { hidden: 'says what the entries say' },
    erased: 'deleted',
  },
  {
    table: 'pending_list_change',
    of: 'account',
    column: 'account_id',
    exported: {
      section: 'pending_device_list_change',
      about: 'the change of the device list that waits, if there is one',
      key: [['x.account_id', 'bigint']],
      fields: {
        number: 'x.number',
        effective_at: seconds('x.effective_at'),
        entries: `(SELECT json_agg(${bytes('e.bytes')} ORDER BY e.n) FROM unnest(x.entries) WITH ORDINALITY AS e (bytes, n))`,
        head: bytes('x.head'),
      },
    },
    erased: 'deleted',
  },
  {
    table: 'foreign_device_list',
    of: 'account',
    column: 'account_id',
    exported: { hidden: 'there are none of users of this provider' },
    erased: 'deleted',
  },
  {
    table: 'identity_notice',
    of: 'account',
    column: 'account_id',
    exported: { hidden: 'groups of the user whose members are about to hear of the new identity' },
    erased: 'deleted',
  },
]
