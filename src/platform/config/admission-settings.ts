import { Count, Duration, NumbersByName, Size } from './units.js'

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
  BYTES_IN_FLIGHT: Size()
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
