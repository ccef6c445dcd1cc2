-- The domain that everything in this database is named after. The first start writes it, and none of another domain starts after that.
CREATE TABLE deployment (
  one    boolean PRIMARY KEY DEFAULT true CHECK (one),  -- one row
  domain text NOT NULL
);

-- Every text of a file in prisma/functions that was ever applied. The newest one of a file is in force; a release that knows only an
-- older one leaves it alone (src/platform/postgres/function-files.ts).
CREATE TABLE function_file (
  name       text        NOT NULL,                 -- of the file, without .sql
  checksum   text        NOT NULL,                 -- SHA-256 in hex
  applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (name, checksum)
);
