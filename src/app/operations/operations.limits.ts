import type { DescribedLimit } from '../../platform/limits/described-limit.js'

/** What somebody may do to the port of OPERATIONS_PORT, who gets at it. Each number is read from here. */
export const OPERATIONS_LIMITS = {
  connections: {
    name: 'operations-connections',
    holder: 'process',
    what: 'connections to OPERATIONS_PORT',
    value: 64,
    fixed: true,
    refusal: 'the oldest connection is closed, so that a probe always gets in',
  },
  requests: {
    name: 'operations-requests',
    holder: 'connection',
    what: 'requests on one connection to OPERATIONS_PORT',
    value: 1,
    fixed: true,
    refusal: 'the connection is closed after its first answer',
  },
  headerBytes: {
    name: 'operations-header-bytes',
    holder: 'connection',
    what: 'bytes of the header fields of a request to OPERATIONS_PORT',
    value: 8_192,
    fixed: true,
    refusal: '431',
  },
  headerMs: {
    name: 'operations-header-time',
    holder: 'connection',
    what: 'milliseconds for a request to OPERATIONS_PORT to arrive',
    value: 5_000,
    fixed: true,
    refusal: '408, and the connection is closed',
  },
  silenceMs: {
    name: 'operations-silence',
    holder: 'connection',
    what: 'milliseconds for which a connection to OPERATIONS_PORT may stand still',
    value: 10_000,
    fixed: true,
    refusal: 'the connection is closed',
  },
  bodyBytes: {
    name: 'operations-body-bytes',
    holder: 'connection',
    what: 'bytes of the body of a request to OPERATIONS_PORT',
    value: 0,
    fixed: true,
    refusal: '413',
  },
} as const satisfies Record<string, DescribedLimit>
