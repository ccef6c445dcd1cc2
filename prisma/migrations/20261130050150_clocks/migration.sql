-- By how many seconds a peer's clock is ahead of this server's, where that is more than signatures stand. Null: it is right, as far as is known.
ALTER TABLE peer ADD COLUMN clock_offset integer;
