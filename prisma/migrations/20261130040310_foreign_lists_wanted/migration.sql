-- Lists of which it is time to ask whether somebody still needs them.
CREATE INDEX CONCURRENTLY IF NOT EXISTS foreign_device_list_wanted ON foreign_device_list (wanted_until);
