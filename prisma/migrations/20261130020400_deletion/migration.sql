-- Deleted groups of which rows are left. Nobody reads them; a job deletes them in slices (prisma/functions/groups.sql, delete_remains).
CREATE TABLE group_remains (
  gid       bigint PRIMARY KEY,
  after_seq bigint NOT NULL DEFAULT 0  -- its log is gone up to here
);
