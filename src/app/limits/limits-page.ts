import { defaultOf } from '../../platform/config/config-page.js'
import type { DescribedLimit, LimitHolder } from '../../platform/limits/described-limit.js'
import { ALL_LIMITS } from './all-limits.js'

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
client's, if \`TRUST_PROXY\` says which proxies are trusted. What a limit refuses counts in \`limits_refused_total{limit="…"}\`. A number
is changed by its setting, see [configuration](configuration.md); \`LIMITS\` sets several, for example
\`account-requests-in-flight=64,tokens=30\`. Current usage: \`http_connections_open\`, \`http_requests_in_flight\`, \`http_bytes_in_flight\`,
\`delivery_streams_open\`.

**Order.** A request is admitted by its headers, before its body is read: framing (RFC 9112), overload, session (where the route needs one), rate, route, size.
Only then is the body read, and its bytes count while they are held. A large body that is refused is not read; the answer
says \`Connection: close\`, and the connection ends within two seconds.

**Overload.** A process measures the delay of its event loop and the use of its heap. If three samples in a row (half a second each) are too
high (\`PRESSURE_DELAY\`), it answers 503 with Retry-After: first to anonymous requests, at twice the delay to reads and
to new streams, at four times the delay to posts, and never to acknowledgements and health checks. The heap does the same at 85, 90 and
95 % of its limit. Refusals count as \`limits_refused_total{limit="pressure-anonymous"}\`, \`pressure-read\` and \`pressure-post\`.

**Statements.** A request runs its statements one after the other, with few exceptions, so the limits of requests in flight bound statements too.

**Time.** Request headers must arrive within 10 s and the whole request within 30 s. A connection with a request in progress is closed after 75 s
without a byte in either direction, one between requests after 65 s. What is refused on a bare socket (an upgrade, bytes that are not HTTP) is closed within 2 s, even if the
client keeps its side open.

The tables below are made by \`npm run cli -- limits-docs\` from those that the code reads its limits from (\`src/app/limits/all-limits.ts\`).`

/** The text of docs/limits.md. */
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

function row({ name, what, value, setting, fixed, refusal }: DescribedLimit): string {
  const number = setting === undefined ? (value ?? 0).toLocaleString('en') : defaultOf(setting).replaceAll('`', '')
  return `| \`${name}\` | ${what} | ${number} | ${fixed ? 'none' : `\`${setting ?? 'LIMITS'}\``} | ${refusal} |`
}
