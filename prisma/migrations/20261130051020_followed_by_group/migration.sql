CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS followed_group_once ON followed_group (hub, coalesce(mls_group_id, group_id));
