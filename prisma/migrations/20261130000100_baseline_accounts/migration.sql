-- Accounts, their devices, and what devices prove and hold (docs/architecture.md §10). The client of prisma/schema.prisma knows these tables.

CREATE TABLE "account" (
    "id" BIGSERIAL NOT NULL,
    "user_uri" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "disabled_at" TIMESTAMPTZ(6),

    CONSTRAINT "account_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "device" (
    "id" BIGSERIAL NOT NULL,
    "account_id" BIGINT NOT NULL,
    "client_uri" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "revoked_at" TIMESTAMPTZ(6),
    -- Raised to end all sessions of the device at once: access tokens carry the value they were issued under.
    "session_generation" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "device_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "signature_key" (
    "id" BIGSERIAL NOT NULL,
    "device_id" BIGINT NOT NULL,
    "scheme" INTEGER NOT NULL,
    "public_key" BYTEA NOT NULL,
    "valid_from" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "valid_until" TIMESTAMPTZ(6),
    "revoked_at" TIMESTAMPTZ(6),
    "successor_id" BIGINT,

    CONSTRAINT "signature_key_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "challenge" (
    "nonce" BYTEA NOT NULL,
    "client_uri" TEXT NOT NULL,
    "expires_at" TIMESTAMPTZ(6) NOT NULL,

    CONSTRAINT "challenge_pkey" PRIMARY KEY ("nonce")
);

CREATE TABLE "invite" (
    "code_hash" BYTEA NOT NULL,
    -- The one account that the code opens, if an operator made it for one; else any new account.
    "account_id" BIGINT,
    "uses_left" INTEGER NOT NULL,
    "expires_at" TIMESTAMPTZ(6) NOT NULL,

    CONSTRAINT "invite_pkey" PRIMARY KEY ("code_hash")
);

-- One row per session, whose token changes with every use. A token names its family, so older ones need no rows
-- to be recognised.
CREATE TABLE "refresh_token" (
    "family" UUID NOT NULL,
    "device_id" BIGINT NOT NULL,
    "token_hash" BYTEA NOT NULL,
    "previous_hash" BYTEA,
    "rotated_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(6) NOT NULL,

    CONSTRAINT "refresh_token_pkey" PRIMARY KEY ("family")
);

CREATE TABLE "token_signing_key" (
    "kid" TEXT NOT NULL,
    "public_jwk" JSONB NOT NULL,
    "sealed_private" BYTEA NOT NULL,
    "signs_from" TIMESTAMPTZ(6) NOT NULL,
    "signs_until" TIMESTAMPTZ(6),
    "published_until" TIMESTAMPTZ(6),

    CONSTRAINT "token_signing_key_pkey" PRIMARY KEY ("kid")
);

CREATE UNIQUE INDEX "account_user_uri_key" ON "account"("user_uri");
-- Jobs look for what was disabled or revoked: few rows among all. Prisma does not know partial indexes.
CREATE INDEX "account_disabled" ON "account"("id") WHERE "disabled_at" IS NOT NULL;
CREATE INDEX "device_revoked" ON "device"("id") WHERE "revoked_at" IS NOT NULL;
CREATE INDEX "device_account_id_idx" ON "device"("account_id");
CREATE UNIQUE INDEX "device_client_uri_key" ON "device"("client_uri");
CREATE INDEX "signature_key_device_id_idx" ON "signature_key"("device_id");
-- Over all devices and all time: a key that moved would make the directory's history ambiguous.
CREATE UNIQUE INDEX "signature_key_public_key_key" ON "signature_key"("public_key");
CREATE UNIQUE INDEX "signature_key_successor_id_key" ON "signature_key"("successor_id");
CREATE INDEX "challenge_expires_at_idx" ON "challenge"("expires_at");
CREATE INDEX "refresh_token_device_id_idx" ON "refresh_token"("device_id");
CREATE INDEX "refresh_token_expires_at_idx" ON "refresh_token"("expires_at");

ALTER TABLE "device" ADD CONSTRAINT "device_account_id_fkey" FOREIGN KEY ("account_id") REFERENCES "account"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "signature_key" ADD CONSTRAINT "signature_key_device_id_fkey" FOREIGN KEY ("device_id") REFERENCES "device"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "signature_key" ADD CONSTRAINT "signature_key_successor_id_fkey" FOREIGN KEY ("successor_id") REFERENCES "signature_key"("id") ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE "invite" ADD CONSTRAINT "invite_account_id_fkey" FOREIGN KEY ("account_id") REFERENCES "account"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "refresh_token" ADD CONSTRAINT "refresh_token_device_id_fkey" FOREIGN KEY ("device_id") REFERENCES "device"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- Users of other providers have rows in account and device like ours, so that memberships, bans and admins are one thing. They cannot
-- log in here. Their keys stand apart: that a key is of one device only is for each provider to ensure, and no provider may be
-- able to keep a key from a user of another.
CREATE TABLE foreign_user (
  account_id bigint PRIMARY KEY REFERENCES account (id),
  fetched_at timestamptz NOT NULL                 -- when the provider last vouched for the devices and keys
);
CREATE TABLE foreign_signature_key (
  device_id   bigint NOT NULL REFERENCES device (id),
  public_key  bytea  NOT NULL,                    -- canonical form
  valid_from  timestamptz NOT NULL,
  valid_until timestamptz,
  PRIMARY KEY (device_id, public_key)
);

-- Users who are not to be found, not even by their exact handle.
CREATE TABLE unsearchable_account (
  account_id bigint PRIMARY KEY REFERENCES account (id)
);
