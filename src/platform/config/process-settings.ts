import { z } from 'zod'
import { isProxySetting } from '../admission/proxies.js'
import { HttpUrl } from './http-url.js'
import { isOriginsSetting } from './origins.js'
import { Count, Duration } from './units.js'

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
      'Which proxies are believed when they name the client in X-Forwarded-For: off; on for the one proxy that all connections come from; how many stand in a row; or their addresses and ranges (10.0.0.0/8, 192.0.2.7).',
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
