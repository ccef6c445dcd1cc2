import { z } from 'zod'
import { parseDatabaseUrl } from '../postgres/client/database-url.js'
import { STATEMENT_DEADLINE_MS } from '../postgres/client/postgres-target.js'
import { splitRedisUrls } from '../redis/redis-target.js'
import { Admission, Process } from './process-settings.js'
import { Federation, SealedSender } from './federation-settings.js'
import { Passkeys } from './passkey-settings.js'
import { Quotas } from './quota-settings.js'
import { HttpUrl } from './urls.js'
import { X509 } from './x509-settings.js'
import { Count, Duration, Size } from './units.js'

const Domain = z
  .string()
  .toLowerCase()
  .max(253)
  .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?$/, 'must be a host name, without scheme or path')
const PostgresUrl = z.string().refine((text) => parseDatabaseUrl(text) !== undefined, 'must be a postgres:// URL')
const RedisUrls = z
  .string()
  .refine((text) => splitRedisUrls(text).every(isRedisUrl), 'must be redis:// or rediss:// URLs, separated by commas')
const Secret32 = z.string().regex(/^[A-Za-z0-9+/_-]{43}=?$/, 'must be 32 random bytes in base64 (openssl rand -base64 32)')

function isRedisUrl(text: string): boolean {
  return /^rediss?:\/\//.test(text) && URL.canParse(text) && /^\/?\d*$/.test(new URL(text).pathname)
}

const Identity = {
  DOMAIN: Domain.default('localhost').describe(
    'The domain of all users, devices and rooms here. It is signed into every login: never change it later.',
  ),
  PUBLIC_URL: HttpUrl.optional().describe(
    'Where clients reach this server, if not http://HOST:PORT (behind a proxy). Proofs of possession (DPoP) have to name it; unset, they may name whatever host a request does.',
  ),
  SERVER_SECRET: Secret32.optional()
    .meta({ secret: true })
    .describe('32 random bytes, base64. Seals stored keys and signs hints between nodes. The embedded mode makes one; otherwise required.'),
}

const Storage = {
  DATABASE_URL: PostgresUrl.optional()
    .meta({ secret: true })
    .describe(
      'PostgreSQL 15 or newer, possibly through pgbouncer. Of several hosts (postgres://user@h1:5432,h2:5432/db) the first that takes writes is used. Unset: the embedded PostgreSQL in DATA_DIR.',
    ),
  DIRECT_DATABASE_URL: PostgresUrl.optional()
    .meta({ secret: true })
    .describe('PostgreSQL without a pooler, for migrations and jobs. Default: DATABASE_URL.'),
  PG_POOL_API: Count(2, 500).default(10).describe('Connections of one api process to PostgreSQL, also with ROLE=both.'),
  PG_POOL_WORKER: Count(2, 500).default(5).describe('Connections of one worker process to PostgreSQL.'),
  API_NODES: Count(1, 1_000)
    .default(1)
    .describe(
      'Maximum number of processes with ROLE api or both, including during an upgrade. The start checks that PostgreSQL has connections for all of them.',
    ),
  WORKER_NODES: Count(0, 1_000).default(0).describe('Maximum number of processes with ROLE=worker, including during an upgrade.'),
  PG_PREPARE: z.enum(['on', 'off']).default('on').describe('Named prepared statements; off for poolers that cannot track them.'),
  PG_STATEMENT_DEADLINE: Duration(100, 600_000)
    .default(STATEMENT_DEADLINE_MS)
    .describe(
      'How long a statement may stay without an answer before its connection is given up and the request answered with 503. Set it above the statement_timeout of the role (10s).',
    ),
  CLOCK_SKEW_LIMIT: Duration(1_000, 600_000)
    .default(30_000)
    .describe('How far the clock of a process may be from that of PostgreSQL; further off it is not ready.'),
  REDIS_URL: RedisUrls.optional()
    .meta({ secret: true })
    .describe(
      'Redis for hints, courtesy locks, limits and jobs of several nodes (maxmemory-policy noeviction). For Sentinel and Cluster several addresses, separated by commas. Unset: these run in the process and in PostgreSQL.',
    ),
  REDIS_MODE: z
    .enum(['single', 'sentinel', 'cluster'])
    .default('single')
    .describe(
      'What REDIS_URL names: one server, sentinels (user, password and database are those of the servers they watch), or nodes of a Redis Cluster.',
    ),
  REDIS_CARRIED_BYTES: Size(1024 ** 2)
    .default(16 * 1024)
    .describe('Bytes of new log entries that a hint takes along to other nodes. Readers there read more than that from PostgreSQL.'),
  REDIS_SENTINEL_NAME: z.string().min(1).default('mymaster').describe('The name under which the sentinels watch the master.'),
  REDIS_SENTINEL_PASSWORD: z
    .string()
    .min(1)
    .optional()
    .meta({ secret: true })
    .describe('Password of the sentinels themselves, if they have one.'),
  DATA_DIR: z.string().min(1).default('./data').describe('Folder of the embedded PostgreSQL and its secret.'),
}

const Accounts = {
  REGISTRATION: z
    .enum(['open', 'invite', 'closed'])
    .default('open')
    .describe('Who may make an account: anyone, holders of an invite code, or the operator only.'),
  NAME_QUARANTINE: Duration(0, 3_650 * 86_400_000)
    .default(90 * 86_400_000)
    .describe('For how long the name of a deleted account is given to nobody else.'),
  REVOCATION_DELAY: Duration(3_600_000, 7 * 86_400_000)
    .default(86_400_000)
    .describe(
      'For how long a change of a device list waits that ends a recovery key, a passkey, or all other devices in charge; and how old a key has to be to have a say over it.',
    ),
  ACCESS_TOKENS: z
    .enum(['bound', 'bearer-allowed', 'legacy'])
    .default('bound')
    .describe(
      'Whether sessions are bound to a key of their device (DPoP, RFC 9449), so that stolen tokens are worth nothing: bound, each of them; bearer-allowed, those of clients that show one, and simple clients without one log in as well, which is weaker; legacy, none that is opened now: only while nodes of the release before run beside this one.',
    ),
  ACCESS_TOKEN_TTL: Duration(10_000, 86_400_000).default(300_000).describe('Life of an access token.'),
  REFRESH_TOKEN_TTL: Duration(60_000)
    .default(30 * 86_400_000)
    .describe('Life of an unused refresh token.'),
  CHALLENGE_TTL: Duration(5_000, 600_000).default(120_000).describe('Life of a login challenge.'),
  LOGINS_PER_MINUTE: Count(1, 100_000).default(60).describe('Challenges, logins and registrations per client address and minute.'),
  MAX_DEVICES_PER_ACCOUNT: Count(1, 1_000).default(50).describe('Active devices of one account.'),
}

const KeyPackages = {
  KEY_PACKAGE_MAX_LIFETIME: Duration(60_000)
    .default(366 * 86_400_000)
    .describe('Longest lifetime accepted in a KeyPackage (RFC 9420 §7.2). The default lets those of all libraries in.'),
  KEY_PACKAGE_MAX_AGE: Duration(60_000)
    .default(90 * 86_400_000)
    .describe('A KeyPackage is handed out for at most this long after its not_before, even if its lifetime is longer.'),
  APP_DATA_UPDATES: z
    .enum(['removals', 'rooms'])
    .default('removals')
    .describe(
      'AppDataUpdates that public groups here take: removals alone, or those of the participant list and metadata of MIMI rooms, too. Servers of before December 2026 cannot follow a group after such an update, so choose rooms once all nodes, and the providers of the users of your groups, run a later release.',
    ),
  KEY_PACKAGE_LOW: Count(0, 1_000)
    .default(10)
    .describe('A device gets key-packages.low when fewer one-time KeyPackages than this are left.'),
  KEY_PACKAGE_MAX_PER_DEVICE: Count(1, 10_000).default(500).describe('KeyPackages kept per device.'),
  CLAIMS_PER_MINUTE: Count(1, 100_000).default(60).describe('KeyPackage claims per claiming user and minute.'),
  CLAIMS_PER_PAIR_PER_MINUTE: Count(1, 100_000)
    .default(30)
    .describe(
      'KeyPackage claims by one user against one user and minute, so that no single user can exhaust CLAIMS_PER_TARGET_PER_MINUTE.',
    ),
  CLAIMS_PER_TARGET_PER_MINUTE: Count(1, 100_000)
    .default(120)
    .describe(
      'KeyPackage claims against one user and minute by users of this server, and as many by those of each peer whom the user knows, and by its others.',
    ),
}

const Groups = {
  MAX_PAST_EPOCHS: Count(0, 1_000).default(5).describe('How many epochs back an application message may come from.'),
  SUCCESSOR_GRACE: Duration(1_000, 30 * 86_400_000)
    .default(3_600_000)
    .describe(
      'For this long after a reset or ReInit only admins, and who reset the group by reports, may create its successor, and an admin may undo the reset.',
    ),
  MAX_MESSAGE_BYTES: Size().default(262_144).describe('Largest application message or proposal.'),
  MAX_COMMIT_BYTES: Size()
    .default(2 * 1024 ** 2)
    .describe('Largest Commit, and the largest sum of its Welcomes.'),
  MAX_TREE_BYTES: Size()
    .default(2 * 1024 ** 2)
    .describe('Largest ratchet tree.'),
  MAX_GROUP_INFO_BYTES: Size()
    .default(64 * 1024)
    .describe('Largest GroupInfo.'),
  MAX_BODY_BYTES: Size()
    .default(6 * 1024 ** 2)
    .describe('Largest HTTP request body.'),
  WORKER_TIME_PER_MINUTE: Duration(100, 3_600_000)
    .default(15_000)
    .describe(
      'How much time per minute the long work of one account on ratchet trees may take, on worker threads and in slices of the event loop. Another provider counts as one account. At most the allowance of one minute is saved up.',
    ),
  MESSAGES_PER_MINUTE: Count(1, 1_000_000).default(1_200).describe('Application messages per device and minute.'),
}

const Delivery = {
  RETENTION_APPLICATION: Duration(86_400_000)
    .default(30 * 86_400_000)
    .describe('Application messages not fetched by everyone are kept this long.'),
  RETENTION_HANDSHAKE: Duration(86_400_000)
    .default(90 * 86_400_000)
    .describe('Commits, proposals and GroupInfo are kept this long.'),
  IDEMPOTENCY_WINDOW: Duration(60_000).default(86_400_000).describe('How long an identical resubmission returns the original acceptance.'),
  STREAM_HEARTBEAT: Duration(50, 300_000).default(25_000).describe('Ping interval of a stream; two missed ones end it.'),
  STREAM_ACK_FLUSH: Duration(10, 600_000).default(60_000).describe('Acknowledgements are written to PostgreSQL at most this often.'),
  STREAM_ACK_TIMEOUT: Duration(50, 3_600_000)
    .default(60_000)
    .describe('A stream that acknowledges nothing for this long, with its window full, is closed.'),
  STREAM_FRAME_RATE: Count(10, 100_000)
    .default(200)
    .describe(
      'Frames per second that are accepted from the client of a stream, not counting acknowledgements of what was delivered; bursts of ten times that.',
    ),
  STREAM_BYTE_RATE: Size()
    .default(64 * 1024)
    .describe('Bytes per second of those frames; bursts of four times that.'),
  MAX_STREAMS: Count(1, 1_000_000).default(20_000).describe('Streams open on one node.'),
  SWEEP_INTERVAL: Duration(20, 60_000).default(2_000).describe('How often a node looks for news that a lost hint left behind.'),
  GLOBAL_SWEEP_INTERVAL: Duration(1_000).default(300_000).describe('How often a worker looks through all groups for the same.'),
  JOB_CONCURRENCY: Count(1, 64).default(4).describe('Jobs run at once by one worker.'),
}

const Testing = {
  CONFORMANCE: z
    .enum(['on', 'off'])
    .default('off')
    .describe(
      'Only for running the official MLS test vectors: any logged-in caller may create a group at any epoch and submit for any of its leaves. Refused when NODE_ENV is production.',
    ),
}

/** All settings: the type `Config`, the checks and docs/configuration.md come from it. Values are milliseconds and bytes. */
export const ConfigSchema = z.object({
  ...Identity,
  ...Process,
  ...Admission,
  ...Storage,
  ...Accounts,
  ...X509,
  ...Passkeys,
  ...KeyPackages,
  ...Groups,
  ...Quotas,
  ...Delivery,
  ...SealedSender,
  ...Federation,
  ...Testing,
})

/** The chapters of the generated page, in order. */
export const CONFIG_CHAPTERS = {
  Identity,
  Process,
  Admission,
  Storage,
  Accounts,
  'X.509 credentials': X509,
  Passkeys,
  'Key packages': KeyPackages,
  Groups,
  Quotas,
  Delivery,
  'Sealed sender': SealedSender,
  Federation,
  Testing,
} as const
