-- What certified a device, and how its certificate ended: a leaf whose certificate the device itself has replaced is good for a while.
ALTER TABLE device_certificate
  ADD COLUMN signer int NOT NULL, -- number of the entry whose key signed it; 1: the identity key
  ADD COLUMN ended_at timestamptz, -- time of the entry that ended it
  ADD COLUMN replaced boolean NOT NULL DEFAULT false; -- what ended it is another certificate of the device

-- Rows of devices that are erased look for theirs.
CREATE INDEX device_certificate_device ON device_certificate (device_id);
