-- Users of other providers of whom it is time to ask whether anything here still names them.
CREATE INDEX CONCURRENTLY IF NOT EXISTS foreign_user_due ON foreign_user (look_at);
