-- For which rooms here other providers gave KeyPackages of their users, and whether one was used there. Their provider believes a Welcome for that
-- room only, and one for each time that it gave it. The row goes with the claim.
CREATE TABLE foreign_key_package (
  ref bytea NOT NULL REFERENCES key_package_claim (ref) ON DELETE CASCADE,
  room_id text NOT NULL,
  used boolean NOT NULL DEFAULT false,
  PRIMARY KEY (ref, room_id)
) WITH (fillfactor = 90);
