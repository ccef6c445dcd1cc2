-- A group belongs to its hub: two hubs may have groups of one MLS group id (docs/adr/0035-addresses-of-groups.md). `group_id` is the address that
-- clients here use, unique here; `mls_group_id` the id in MLS, where that is another one. An earlier release, side by side with this one, makes
-- only groups whose address is their id.
ALTER TABLE groups ADD COLUMN mls_group_id bytea;
ALTER TABLE followed_group ADD COLUMN mls_group_id bytea;
