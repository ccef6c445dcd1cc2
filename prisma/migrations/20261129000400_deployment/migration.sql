-- The domain that everything in this database is named after. The first start writes it, and none of another domain starts after that.
-- A database from before this migration has the domain of its accounts.
CREATE TABLE deployment (
  one    boolean PRIMARY KEY DEFAULT true CHECK (one),  -- one row
  domain text NOT NULL
);
INSERT INTO deployment (domain) SELECT split_part(user_uri, '/', 3) FROM account ORDER BY id LIMIT 1;
