-- A replica that nobody takes up is forgotten some time after its last invitation (prisma/functions/replicas.sql). Those from before begin their time now.
ALTER TABLE replica_storage ADD COLUMN invited_at timestamptz NOT NULL DEFAULT now(); -- when a device here last joined, while nobody had taken it up
