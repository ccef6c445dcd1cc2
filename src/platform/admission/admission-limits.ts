import type { DescribedLimit } from '../limits/described-limit.js'

/** What a connection, an address, a device and an anonymous caller may hold and spend at once, before anything it says is believed. */
export const PIPELINED_REQUESTS = {
  name: 'connection-pipelined-requests',
  holder: 'connection',
  what: 'HTTP/1.1 requests sent ahead of their answers',
  value: 32,
  refusal: 'the connection is cut (RFC 9112 §9.3.2); at the first eight the server stops reading from it',
} as const satisfies DescribedLimit

export const CONNECTION_REQUESTS = {
  name: 'connection-requests-in-flight',
  holder: 'connection',
  what: 'requests answered at the same time; the next ones wait, and nothing more is read meanwhile',
  value: 8,
  refusal: 'nothing: they wait',
} as const satisfies DescribedLimit

export const TINY_CHUNKS = {
  name: 'connection-tiny-chunks',
  holder: 'connection',
  what: 'chunks of less than 64 bytes in the chunked bodies of one request, and of those sent ahead of its answer',
  value: 1_000,
  refusal: 'the connection is cut: a chunk of a byte takes the parser as long as one of a kilobyte',
} as const satisfies DescribedLimit
export const TINY_CHUNK_BYTES = 64

export const CONNECTIONS_BEGUN = {
  name: 'process-connections-begun',
  holder: 'process',
  what: 'new connections that begin to be served in one turn of the event loop; addresses take turns',
  value: 4,
  refusal: 'nothing: they wait for the next turns',
} as const satisfies DescribedLimit

export const READS = {
  name: 'process-reads',
  holder: 'process',
  what: 'pieces of 4 KiB of what connections send that are read in one turn of the event loop, and 2 ms of them at most; addresses take turns',
  value: 64,
  refusal: 'nothing: they wait for the next turns, and the network before them',
} as const satisfies DescribedLimit

export const REQUESTS_BEGUN = {
  name: 'process-requests-begun',
  holder: 'process',
  what: 'requests begun in one turn of the event loop; addresses take turns',
  value: 8,
  refusal: 'nothing: they wait for the next turns',
} as const satisfies DescribedLimit

export const PROCESS_CONNECTIONS = {
  name: 'process-connections',
  holder: 'process',
  what: 'open connections, streams included; 0 allows as many as there are file descriptors, less 200',
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
  what: 'new connections per second, on average; 1,000 at once',
  value: 200,
  refusal: 'the new connection is closed at once',
} as const satisfies DescribedLimit
export const NEW_CONNECTIONS_BURST = 1_000

export const ADDRESS_OFFENCES = {
  name: 'address-offences',
  holder: 'address',
  what: 'connections per minute that were cut (connection-pipelined-requests, connection-tiny-chunks); 10 at once',
  value: 30,
  refusal: 'new connections are closed at once until the rate is back within the limit',
} as const satisfies DescribedLimit
export const OFFENCES_BURST = 10

export const ADDRESS_ANONYMOUS_REQUESTS = {
  name: 'address-anonymous-requests',
  holder: 'address',
  what: 'requests per minute to routes that need no access token; a sixth of that at once',
  setting: 'ANONYMOUS_PER_MINUTE',
  refusal: '429 with Retry-After, and the connection is closed. Requests refused for their form or their token count as well',
} as const satisfies DescribedLimit

export const ADDRESS_REQUESTS = {
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
  what: 'authenticated requests per minute; a sixth of that at once',
  setting: 'REQUESTS_PER_DEVICE_PER_MINUTE',
  refusal: '429 with Retry-After',
} as const satisfies DescribedLimit

export const PEER_ADDRESS_REQUESTS = {
  name: 'address-peer-requests',
  holder: 'address',
  what: 'requests per second to the endpoints between providers, before their signatures are looked at; five times that at once',
  value: 200,
  refusal: '429 with Retry-After',
} as const satisfies DescribedLimit

export const ADDRESS_OPERATIONAL_REQUESTS = {
  name: 'address-operational-requests',
  holder: 'address',
  what: 'requests for health and metrics per second, where they are on the main port; ten times that at once',
  value: 20,
  refusal: '429 with Retry-After, and the connection is closed',
} as const satisfies DescribedLimit

export const PROCESS_BYTES = {
  name: 'process-bytes-in-flight',
  holder: 'process',
  what: 'bytes of request bodies and of answers that are not sent yet; a quarter is kept for bodies up to 64 KiB',
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
  what: 'bytes of request bodies per second, a chunk of 64 bytes or more of the chunked coding as 1,024 at least; six times that at once. Of one account, or of one address where there is no account',
  value: 4 * 1024 ** 2,
  refusal: '429 with Retry-After',
} as const satisfies DescribedLimit

export const PEER_BODY_RATE = {
  name: 'peer-body-bytes',
  holder: 'address',
  what: 'bytes of request bodies per second to the endpoints between providers, counted in the same way; six times that at once',
  value: 16 * 1024 ** 2,
  refusal: '429 with Retry-After',
} as const satisfies DescribedLimit
/** Of both: seconds' worth that may come at once. It has to hold the largest body. */
export const BODY_RATE_BURST = 6

export const ADMISSION_LIMITS: readonly DescribedLimit[] = [
  PROCESS_CONNECTIONS,
  CONNECTIONS_BEGUN,
  READS,
  REQUESTS_BEGUN,
  PROCESS_BYTES,
  ADDRESS_CONNECTIONS,
  ADDRESS_NEW_CONNECTIONS,
  ADDRESS_OFFENCES,
  ADDRESS_ANONYMOUS_REQUESTS,
  ADDRESS_REQUESTS,
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
