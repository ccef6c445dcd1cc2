import type { DescribedLimit } from '../limits/described-limit.js'

export const PIPELINED_REQUESTS = {
  name: 'connection-pipelined-requests',
  holder: 'connection',
  what: 'pipelined HTTP/1.1 requests (sent before earlier ones were answered)',
  value: 32,
  refusal: 'the connection is cut (RFC 9112 §9.3.2); after eight unanswered ones the server stops reading from it',
} as const satisfies DescribedLimit

export const CONNECTION_REQUESTS = {
  name: 'connection-requests-in-flight',
  holder: 'connection',
  what: 'requests processed at the same time; while others wait, nothing more is read',
  value: 8,
  refusal: 'none: they wait',
} as const satisfies DescribedLimit

/** A one-byte chunk costs the parser as much as one of a kilobyte. */
export const TINY_CHUNKS = {
  name: 'connection-tiny-chunks',
  holder: 'connection',
  what: 'chunks of less than 64 bytes in the body of one request and of those pipelined behind it',
  value: 1_000,
  refusal: 'the connection is cut',
} as const satisfies DescribedLimit
export const TINY_CHUNK_BYTES = 64

export const NEW_CONNECTIONS_PER_TURN = {
  name: 'process-connections-begun',
  holder: 'process',
  what: 'new connections accepted for service in one turn of the event loop; addresses take turns',
  value: 4,
  refusal: 'none: they wait for the next turns',
} as const satisfies DescribedLimit

export const READS_PER_TURN = {
  name: 'process-reads',
  holder: 'process',
  what: '4 KiB reads from connections in one turn of the event loop, for at most 2 ms; addresses take turns',
  value: 64,
  refusal: 'none: they wait for later turns, and TCP back-pressure holds the sender',
} as const satisfies DescribedLimit

export const NEW_REQUESTS_PER_TURN = {
  name: 'process-requests-begun',
  holder: 'process',
  what: 'requests begun in one turn of the event loop; addresses take turns',
  value: 8,
  refusal: 'none: they wait for the next turns',
} as const satisfies DescribedLimit

export const PROCESS_CONNECTIONS = {
  name: 'process-connections',
  holder: 'process',
  what: 'open connections, streams included; 0: the file descriptor limit minus 200',
  setting: 'MAX_CONNECTIONS',
  refusal: 'the new connection is closed at once',
} as const satisfies DescribedLimit

export const ADDRESS_CONNECTIONS = {
  name: 'address-connections',
  holder: 'address',
  what: 'open connections that are not authenticated streams',
  setting: 'CONNECTIONS_PER_ADDRESS',
  refusal: 'the new connection is closed at once',
} as const satisfies DescribedLimit

export const ADDRESS_NEW_CONNECTIONS = {
  name: 'address-new-connections',
  holder: 'address',
  what: 'new connections per second, on average; bursts of 1,000',
  value: 200,
  refusal: 'the new connection is closed at once',
} as const satisfies DescribedLimit
export const NEW_CONNECTIONS_BURST = 1_000

export const ADDRESS_OFFENCES = {
  name: 'address-offences',
  holder: 'address',
  what: 'connections per minute that were cut (connection-pipelined-requests, connection-tiny-chunks); bursts of 10',
  value: 30,
  refusal: 'new connections are closed at once until the rate is back within the limit',
} as const satisfies DescribedLimit
export const OFFENCES_BURST = 10

export const ADDRESS_ANONYMOUS_REQUESTS = {
  name: 'address-anonymous-requests',
  holder: 'address',
  what: 'requests per minute to routes that need no access token; bursts of a sixth of that',
  setting: 'ANONYMOUS_PER_MINUTE',
  refusal: '429 with Retry-After, and the connection is closed. Malformed requests and those with an invalid token are counted too',
} as const satisfies DescribedLimit

export const ADDRESS_UNAUTHENTICATED_IN_FLIGHT = {
  name: 'address-requests-in-flight',
  holder: 'address',
  what: 'requests in flight that are not authenticated',
  value: 64,
  refusal: '429 with Retry-After',
} as const satisfies DescribedLimit

export const DEVICE_REQUESTS = {
  name: 'device-requests-in-flight',
  holder: 'device',
  what: 'requests in flight; each holds at most one database connection',
  value: 32,
  refusal: '429 with Retry-After',
} as const satisfies DescribedLimit

export const ACCOUNT_REQUESTS = {
  name: 'account-requests-in-flight',
  holder: 'account',
  what: 'requests in flight of all devices of an account',
  value: 128,
  refusal: '429 with Retry-After',
} as const satisfies DescribedLimit

export const DEVICE_REQUEST_RATE = {
  name: 'device-requests',
  holder: 'device',
  what: 'authenticated requests per minute; bursts of a sixth of that',
  setting: 'REQUESTS_PER_DEVICE_PER_MINUTE',
  refusal: '429 with Retry-After',
} as const satisfies DescribedLimit

export const PEER_ADDRESS_REQUESTS = {
  name: 'address-peer-requests',
  holder: 'address',
  what: 'requests per second to the endpoints between providers, before their signatures are looked at; bursts of five times that',
  value: 200,
  refusal: '429 with Retry-After',
} as const satisfies DescribedLimit

export const ADDRESS_OPERATIONAL_REQUESTS = {
  name: 'address-operational-requests',
  holder: 'address',
  what: 'requests for health and metrics per second, where they are on the main port; bursts of ten times that',
  value: 20,
  refusal: '429 with Retry-After, and the connection is closed',
} as const satisfies DescribedLimit

export const PROCESS_BYTES = {
  name: 'process-bytes-in-flight',
  holder: 'process',
  what: 'bytes of request bodies and of answers that are not sent yet; a quarter is reserved for bodies up to 64 KiB',
  setting: 'BYTES_IN_FLIGHT',
  refusal: '503 with Retry-After, to reads as well',
} as const satisfies DescribedLimit

export const CALLER_BYTES = {
  name: 'caller-bytes-in-flight',
  holder: 'account',
  what: 'bytes of request bodies and of answers that are not sent yet, of one account, or of one address where there is no account',
  value: 24 * 1024 ** 2,
  refusal: '429 with Retry-After, to reads as well',
} as const satisfies DescribedLimit

export const CALLER_BODY_RATE = {
  name: 'caller-body-bytes',
  holder: 'account',
  what: 'bytes of request bodies per second, of one account (or of one address without an account); a chunk of 64 bytes or more counts as at least 1,024; bursts of six times the rate',
  value: 4 * 1024 ** 2,
  refusal: '429 with Retry-After',
} as const satisfies DescribedLimit

export const PEER_BODY_RATE = {
  name: 'peer-body-bytes',
  holder: 'address',
  what: 'bytes of request bodies per second to the endpoints between providers, counted in the same way; bursts of six times that',
  value: 16 * 1024 ** 2,
  refusal: '429 with Retry-After',
} as const satisfies DescribedLimit
/**
 * Burst of CALLER_BODY_RATE and PEER_BODY_RATE, in seconds of their rate. Admission raises it to the size of the largest body if that is
 * more.
 */
export const BODY_RATE_BURST = 6

/**
 * What one connection, address, device or anonymous caller may hold and spend at once, enforced before its request is authenticated or
 * parsed.
 */
export const ADMISSION_LIMITS: readonly DescribedLimit[] = [
  PROCESS_CONNECTIONS,
  NEW_CONNECTIONS_PER_TURN,
  READS_PER_TURN,
  NEW_REQUESTS_PER_TURN,
  PROCESS_BYTES,
  ADDRESS_CONNECTIONS,
  ADDRESS_NEW_CONNECTIONS,
  ADDRESS_OFFENCES,
  ADDRESS_ANONYMOUS_REQUESTS,
  ADDRESS_UNAUTHENTICATED_IN_FLIGHT,
  ADDRESS_OPERATIONAL_REQUESTS,
  PEER_ADDRESS_REQUESTS,
  CONNECTION_REQUESTS,
  PIPELINED_REQUESTS,
  TINY_CHUNKS,
  CALLER_BYTES,
  CALLER_BODY_RATE,
  PEER_BODY_RATE,
  ACCOUNT_REQUESTS,
  DEVICE_REQUESTS,
  DEVICE_REQUEST_RATE,
]
