-- What a device hears of its account, besides what it hears of groups (prisma/functions/triggers.sql, tell_siblings).
ALTER TABLE inbox DROP CONSTRAINT inbox_kind_check;
ALTER TABLE inbox ADD CONSTRAINT inbox_kind_check CHECK (kind IN (
  'welcome', 'key-packages.low', 'group.deleted', 'group.leaving', 'group.frozen', 'resync',
  'device.added', 'device.revoked', 'identity.changed', 'device-list.pending'
));
