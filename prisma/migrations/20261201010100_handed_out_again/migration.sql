-- A KeyPackage of last resort may be handed out for a room again before its hub has pushed the join by the first time.
ALTER TABLE handed_out_key_package ADD COLUMN further smallint NOT NULL DEFAULT 0; -- joins that it is good for after the one that is noted
