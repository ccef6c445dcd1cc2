import { z } from 'zod'
import { isProxySetting } from '../admission/proxies.js'
import { HttpUrl, isOriginsSetting } from './urls.js'
import { Count, Duration, NumbersByName, Size } from './units.js'

export const Process = {
  HOST: z.string().min(1).default('127.0.0.1').describe('Address to listen on; 0.0.0.0 for all.'),
  PORT: Count(0, 65_535).default(8080).describe('Port for HTTP and WebSocket; 0 picks a free one.'),
  OPERATIONS_PORT: Count(0, 65_535)
    .optional()
    .describe(
      'Port for /health and /metrics alone; 0 picks a free one. PORT then answers them with 404. If unset, they are on PORT, and everyone who reaches PORT can read them.',
    ),
  OPERATIONS_HOST: z.string().min(1).optional().describe('Address to listen on for OPERATIONS_PORT. Default: HOST.'),
  ROLE: z.enum(['api', 'worker', 'both']).default('both').describe('api answers clients, worker runs jobs, both does both.'),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .default('info')
    .describe('Lowest level of log lines written to standard output.'),
  LOG_FORMAT: z
    .enum(['pretty', 'json'])
    .optional()
    .describe('pretty: lines for people; json: one object a line. Default: pretty if standard output is a terminal, else json.'),
  SHUTDOWN_GRACE: Duration(0, 60_000).default(8_000).describe('How long a stop may take for requests in flight, streams and jobs.'),
  DRAIN_DELAY: Duration(0, 30_000)
    .default(0)
    .describe('How long to keep serving after readiness went off, for balancers that are slow to notice.'),
  TRUST_PROXY: z
    .string()
    .refine(isProxySetting, 'must be off, on, a number from 1 to 9, or addresses and ranges separated by commas')
    .default('off')
    .describe(
      'Which proxies are trusted when they name the client in X-Forwarded-For: off; on for the one proxy that all connections come from; how many are in a row; or their addresses and ranges (10.0.0.0/8, 192.0.2.7).',
    ),
  CORS_ORIGINS: z
    .string()
    .refine(isOriginsSetting, 'must be any, off, or origins such as https://chat.example.com separated by commas')
    .default('any')
    .describe(
      'Which web pages of other origins may use this server, its stream included: any, as access tokens and not cookies say who asks; off; or their origins, separated by commas (https://chat.example.com,capacitor://localhost).',
    ),
  DOCS: z
    .enum(['on', 'off'])
    .default('on')
    .describe('Show a landing page at /, the API at /docs, and the descriptions openapi.yaml, openapi.json and asyncapi.yaml.'),
  OTEL_EXPORTER_OTLP_ENDPOINT: HttpUrl.optional().describe('Send OpenTelemetry traces there. Unset: tracing is not even loaded.'),
}

/** What one caller may hold and spend; see docs/limits.md. */
export const Admission = {
  MAX_CONNECTIONS: Count(0, 1_000_000)
    .default(0)
    .describe('Open connections of one process, streams included. 0: as many as file descriptors are left, less 200.'),
  CONNECTIONS_PER_ADDRESS: Count(1, 1_000_000)
    .default(500)
    .describe('Open connections of one client address that are not authenticated streams. Not counted for proxies (TRUST_PROXY).'),
  ANONYMOUS_PER_MINUTE: Count(1, 10_000_000)
    .default(1_200)
    .describe('Requests without an access token per client address and minute, over all routes; a sixth of that at once.'),
  REQUESTS_PER_DEVICE_PER_MINUTE: Count(1, 10_000_000)
    .default(6_000)
    .describe('Authenticated requests per device and minute, over all routes; a sixth of that at once.'),
  BYTES_IN_FLIGHT: Size(64 * 1024 ** 3)
    .default(128 * 1024 ** 2)
    .describe('Request bodies and unsent answers that one process holds at once.'),
  LIMITS: NumbersByName()
    .optional()
    .describe(
      'Other numbers for limits without a setting of their own, by the names in docs/limits.md: account-requests-in-flight=64,tokens=30.',
    ),
  PRESSURE_DELAY: Duration(10, 60_000)
    .default(250)
    .describe(
      'Mean delay of the event loop over 1.5 s from which a process refuses anonymous requests with 503; reads at twice, posts at four times as much.',
    ),
}
