CREATE INDEX CONCURRENTLY IF NOT EXISTS groups_by_mls_id ON groups (mls_group_id) WHERE mls_group_id IS NOT NULL;
