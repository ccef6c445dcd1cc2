-- Whether new leaves of a group need a certificate of their user's device list (docs/identity.md §4). Groups of an earlier release: any.
ALTER TABLE group_policy ADD COLUMN identities text NOT NULL DEFAULT 'any' CHECK (identities IN ('certified', 'any'));
