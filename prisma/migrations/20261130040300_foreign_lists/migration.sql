-- What the copy of another provider's user's device list says of its certificates, and how long it is kept while the user is in no group here.
ALTER TABLE foreign_device_list
  ADD COLUMN ends int[] NOT NULL DEFAULT '{}', -- number of the entry that ended the certificate in entry i, at i; NULL: none did. Shorter than entries: written by the release before
  ADD COLUMN wanted_until timestamptz NOT NULL DEFAULT now() + interval '1 day';

-- Bytes of the device lists of the provider's users that are kept (foreign_device_list).
ALTER TABLE peer ADD COLUMN device_list_bytes bigint NOT NULL DEFAULT 0;
UPDATE peer p SET device_list_bytes = kept.bytes
  FROM (
    SELECT split_part(a.user_uri, '/', 3) AS domain, sum((SELECT sum(length(e)) FROM unnest(f.entries) AS x (e))) AS bytes
      FROM foreign_device_list f JOIN account a ON a.id = f.account_id GROUP BY 1
  ) kept
 WHERE kept.domain = p.domain;
