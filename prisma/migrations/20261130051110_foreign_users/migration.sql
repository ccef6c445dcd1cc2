-- Users of other providers are written down while something here names them (src/federation/hub/foreign-user-purge.ts).
ALTER TABLE foreign_user
  ADD COLUMN look_at timestamptz NOT NULL DEFAULT now() + interval '1 hour', -- when to ask whether anything still does
  ADD COLUMN devices integer NOT NULL DEFAULT 0;                             -- rows of device
UPDATE foreign_user f SET devices = (SELECT count(*) FROM device d WHERE d.account_id = f.account_id);
INSERT INTO peer_storage AS s (domain, foreign_users, foreign_devices)
SELECT split_part(a.user_uri, '/', 3), count(*), sum(f.devices) FROM foreign_user f JOIN account a ON a.id = f.account_id GROUP BY 1
ON CONFLICT (domain) DO UPDATE SET foreign_users = excluded.foreign_users, foreign_devices = excluded.foreign_devices;
