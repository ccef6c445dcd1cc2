import { INBOUND_LIMITS } from '../federation/inbound/inbound-gate.js'
import { TOKEN_LIMITS } from '../tokens/issue/tokens.limits.js'
import { WORKER_LIMITS } from '../platform/workers/worker-time.js'
import { OPERATIONS_LIMITS } from './operations/operations.limits.js'
import { ADMISSION_LIMITS } from '../platform/admission/admission-limits.js'
import { ConfigError } from '../platform/config/config.js'
import { defaultOf } from '../platform/config/config-page.js'
import { STATEMENT_DEADLINE_LIMIT } from '../platform/postgres/client/postgres-target.js'
import { STREAM_LIMITS, STREAM_OPENINGS, STREAM_READS } from '../delivery/socket/stream-limits.js'
import { changeLimits, type DescribedLimit, type LimitHolder } from '../platform/limits/described-limit.js'

const TOO_MANY = '429 with Retry-After'

const MAX_STREAMS: DescribedLimit = {
  name: 'process-streams',
  holder: 'process',
  what: 'open streams',
  setting: 'MAX_STREAMS',
  refusal: '503 with Retry-After to the upgrade',
}

/** What is counted over time, on Redis for all nodes together where there is one (`src/platform/limits/limits.ts`). */
export const RATE_LIMITS: readonly DescribedLimit[] = [
  {
    name: 'login',
    holder: 'address',
    what: 'challenges, logins and registrations per minute',
    setting: 'LOGINS_PER_MINUTE',
    refusal: TOO_MANY,
  },
  { name: 'refresh', holder: 'address', what: 'refreshes of sessions per minute', setting: 'LOGINS_PER_MINUTE', refusal: TOO_MANY },
  { name: 'messages', holder: 'device', what: 'application messages per minute', setting: 'MESSAGES_PER_MINUTE', refusal: TOO_MANY },
  { name: 'claims-by', holder: 'account', what: 'KeyPackage claims per minute', setting: 'CLAIMS_PER_MINUTE', refusal: TOO_MANY },
  {
    name: 'claims-pair',
    holder: 'account',
    what: 'KeyPackage claims of one account against one other per minute',
    setting: 'CLAIMS_PER_PAIR_PER_MINUTE',
    refusal: TOO_MANY,
  },
  {
    name: 'claims-of',
    holder: 'account',
    what: 'KeyPackage claims against one account per minute, by all others together',
    setting: 'CLAIMS_PER_TARGET_PER_MINUTE',
    refusal: TOO_MANY,
  },
  {
    name: 'tokens-elsewhere',
    holder: 'account',
    what: 'requests for send tokens of other providers per minute',
    value: 20,
    refusal: TOO_MANY,
  },
  { name: 'sealed-token', holder: 'account', what: 'posts that show one send token, per minute', value: 20, refusal: TOO_MANY },
  {
    name: 'sealed-group',
    holder: 'group',
    what: 'posts without a sender per minute',
    setting: 'SEALED_MESSAGES_PER_MINUTE',
    refusal: TOO_MANY,
  },
  { name: 'consents-by', holder: 'account', what: 'requests for consent and decisions per minute', value: 60, refusal: TOO_MANY },
  {
    name: 'identifier-queries-by',
    holder: 'account',
    what: 'searches for users of other providers per minute',
    value: 30,
    refusal: TOO_MANY,
  },
  {
    name: 'identifier-queries-of',
    holder: 'peer',
    what: 'searches for our users per minute',
    setting: 'IDENTIFIER_QUERIES_PER_MINUTE',
    refusal: TOO_MANY,
  },
  { name: 'abuse-reports-by', holder: 'account', what: 'abuse reports per hour', setting: 'ABUSE_REPORTS_PER_HOUR', refusal: TOO_MANY },
  {
    name: 'abuse-reports-of',
    holder: 'peer',
    what: 'abuse reports per hour',
    setting: 'ABUSE_REPORTS_PER_PEER_PER_HOUR',
    refusal: TOO_MANY,
  },
  {
    name: 'peer-requests',
    holder: 'peer',
    what: 'signed requests per minute',
    setting: 'FEDERATION_REQUESTS_PER_MINUTE',
    refusal: TOO_MANY,
  },
  {
    name: 'foreign-refreshes',
    holder: 'peer',
    what: 'look-ups of users of one provider per minute',
    value: 600,
    refusal: 'the request that needs them waits',
  },
  {
    name: 'new-peers-inbound',
    holder: 'process',
    what: 'first contacts by providers never met before, per minute',
    setting: 'FEDERATION_NEW_PEERS_PER_MINUTE',
    refusal: TOO_MANY,
  },
  {
    name: 'new-peers-outbound',
    holder: 'process',
    what: 'first contacts with providers never met before, per minute',
    setting: 'FEDERATION_NEW_PEERS_PER_MINUTE',
    refusal: TOO_MANY,
  },
]

/** Every limit there is, in the order of the page. */
export const ALL_LIMITS: readonly DescribedLimit[] = [
  ...ADMISSION_LIMITS,
  ...Object.values(OPERATIONS_LIMITS),
  ...INBOUND_LIMITS,
  ...TOKEN_LIMITS,
  ...WORKER_LIMITS,
  STATEMENT_DEADLINE_LIMIT,
  STREAM_READS,
  ...STREAM_LIMITS,
  STREAM_OPENINGS,
  MAX_STREAMS,
  ...RATE_LIMITS,
]

const TITLES: Record<LimitHolder, string> = {
  process: 'One process',
  connection: 'One connection',
  address: 'One address',
  account: 'One account',
  device: 'One device',
  stream: 'One stream',
  peer: 'One other provider',
  group: 'One group',
}

const HEAD = `# Limits

What one caller may hold and spend, so that it cannot hurt another. An address is an IPv4 address or an IPv6 /56; behind a proxy it is the
client's, if \`TRUST_PROXY\` says which proxies are believed. What a limit refuses counts in \`limits_refused_total{limit="…"}\`. A number
is changed by its setting, see [configuration](configuration.md); \`LIMITS\` takes several, as \`account-requests-in-flight=64,tokens=30\`. What is held now: \`http_connections_open\`, \`http_requests_in_flight\`,
\`http_bytes_in_flight\`, \`delivery_streams_open\`.

**Order.** A request is judged by its head, before anything of its body is read: framing (RFC 9112), overload, route, session, rate, size.
Only then is the body read, and its bytes count while they are held. A large body that is refused is not read; the answer
says \`Connection: close\`, and the connection ends within two seconds.

**Overload.** A process measures the delay of its event loop and the use of its heap. If three samples in a row (half a second each) are too
high (\`PRESSURE_DELAY\`), it answers 503 with Retry-After: first to anonymous requests, at twice the delay to reads and
to new streams, at four times
the delay to posts, and never to acknowledgements and health checks. The heap does the same at 85, 90 and 95 % of its limit. Refusals
count as \`limits_refused_total{limit="pressure-anonymous"}\`, \`pressure-read\` and \`pressure-post\`.

**Statements.** A request runs its statements one after the other, with few exceptions, so the limits of requests in flight bound statements too.

**Time.** The head of a request has to arrive within 10 s and the whole within 30 s. A connection on which nothing moves for 75 s is closed,
an idle one after 65 s. What is refused on a bare socket (an upgrade, bytes that are not HTTP) is closed within 2 s, also if the client
keeps its half open.

This page is made by \`npm run cli -- limits-docs\` from the tables that the code reads its limits from (\`src/app/limits-page.ts\`).`

/** docs/limits.md */
export function limitsPage(): string {
  const chapters = Object.entries(TITLES).flatMap(([holder, title]) => {
    const rows = ALL_LIMITS.filter((limit) => limit.holder === holder).map(row)
    return rows.length === 0
      ? []
      : [
          [
            `## ${title}`,
            '',
            '| Limit | What is bounded | Default | Setting | Beyond it |',
            '| --- | --- | --- | --- | --- |',
            ...rows,
          ].join('\n'),
        ]
  })
  return `${[HEAD, ...chapters].join('\n\n')}\n`
}

/** Other numbers, from LIMITS. @throws ConfigError for names that are none, or that have a setting of their own */
export function setLimits(numbers: ReadonlyMap<string, number> = new Map()): void {
  const sentences = [...numbers.keys()].flatMap((name) => {
    const limit = ALL_LIMITS.find((row) => row.name === name)
    if (!limit) return [`LIMITS names ${name}, which is no limit: see docs/limits.md.`]
    if (limit.setting !== undefined) return [`LIMITS names ${name}, which has a setting of its own: ${limit.setting}.`]
    return limit.fixed ? [`LIMITS names ${name}, which cannot be changed.`] : []
  })
  if (sentences.length > 0) throw new ConfigError(sentences)
  changeLimits(numbers)
}

function row({ name, what, value, setting, fixed, refusal }: DescribedLimit): string {
  const number = setting === undefined ? (value ?? 0).toLocaleString('en') : defaultOf(setting).replaceAll('`', '')
  return `| \`${name}\` | ${what} | ${number} | ${fixed ? 'none' : `\`${setting ?? 'LIMITS'}\``} | ${refusal} |`
}
