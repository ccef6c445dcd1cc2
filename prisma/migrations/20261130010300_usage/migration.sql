-- What groups keep, and who pays for it (docs/adr/0029-what-storage-is-counted-for.md).

ALTER TABLE groups
  ADD COLUMN bytes      bigint  NOT NULL DEFAULT 0,      -- of its log, Welcomes, GroupInfos, trees and snapshots
  ADD COLUMN payer      bigint,                          -- the account that created it; NULL: another provider's, or older than this column
  ADD COLUMN over_quota boolean NOT NULL DEFAULT false;  -- its payer's groups keep more than they may, as retention saw last

-- Without `bytes`: every message changes it, and the row's update stays a HOT update.
CREATE INDEX groups_by_payer ON groups (payer) WHERE payer IS NOT NULL AND deleted_at IS NULL;

-- What there is already. What is appended meanwhile by nodes that run is not counted.
WITH held AS MATERIALIZED (
  SELECT gid, sum(bytes) AS bytes FROM (
    SELECT gid, octet_length(bytes) AS bytes FROM log
     UNION ALL
    SELECT gid, octet_length(bytes) FROM welcome
     UNION ALL
    SELECT gid, octet_length(bytes) FROM group_info
     UNION ALL
    SELECT gid, octet_length(bytes) FROM group_tree
     UNION ALL
    SELECT gid, octet_length(bytes) FROM group_snapshot
  ) x GROUP BY gid
)
UPDATE groups g SET bytes = h.bytes FROM held h WHERE g.gid = h.gid AND g.deleted_at IS NULL;
