-- What a submission that names no incarnation is judged by (docs/adr/0026-incarnations.md).
ALTER TABLE groups
  ADD COLUMN reused_above bigint;                 -- epochs above it may have been used in several incarnations; NULL: none was
