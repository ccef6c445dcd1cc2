import { z } from 'zod'

/**
 * What docs/errors.md and openapi.yaml say of one type of problem. Each module describes its own types next to its
 * problem classes; src/app/openapi/problem-catalogue.ts puts them together.
 */
export interface ProblemType {
  readonly status: number
  /** When a request is answered so. A sentence. */
  readonly when: string
  /** What a client does about it. A sentence. */
  readonly client: string
  /**
   * `no`: the same request is refused again. `wait`: the same request can succeed after `Retry-After`.
   * `redo`: do what `client` says first; then the same or a corrected request can succeed.
   */
  readonly retry: 'no' | 'wait' | 'redo'
  /** Fields in addition to those of RFC 9457 §3.1. */
  readonly members?: Readonly<Record<string, z.ZodType>>
}

/** Problem types by the last part of the `type` URN. */
export type ProblemTypes = Readonly<Record<string, ProblemType>>

const InvalidMember = z.object({
  path: z.string().meta({ description: 'Where in the body, query or path: member names and indexes, with dots between' }),
  message: z.string().meta({ description: 'What was expected there. For people; the text can change.' }),
})

/** Types that a request can get even if its operation does not list them, as it is refused before its route is known. */
export const ALLOWED_AT_ANY_OPERATION: readonly string[] = [
  'invalid-request',
  'timeout',
  'uri-too-long',
  'headers-too-large',
  'expectation-failed',
  'transfer-coding-unsupported',
  'unsupported-media-type',
]

/** Problems that any route can answer, and those of requests that reach none. */
export const PLATFORM_PROBLEMS: ProblemTypes = {
  'invalid-request': {
    status: 400,
    when: 'The request does not have the form that openapi.yaml describes.',
    client: 'Correct the request; `errors` says where, if the form is at fault.',
    retry: 'no',
    members: { errors: z.array(InvalidMember).max(20).optional() },
  },
  unauthenticated: {
    status: 401,
    when: 'There is no valid access token, or its session was ended.',
    client: 'Refresh the session, or log in.',
    retry: 'redo',
  },
  forbidden: { status: 403, when: 'This device may not do this; `detail` says why.', client: 'Do not repeat it.', retry: 'no' },
  'not-found': {
    status: 404,
    when: 'There is nothing under this address or identifier, or nothing that this device may know of.',
    client: 'Check the identifier.',
    retry: 'no',
  },
  'method-not-allowed': {
    status: 405,
    when: 'The resource exists and does not take this method.',
    client: 'Use a method of the `Allow` header.',
    retry: 'no',
  },
  timeout: { status: 408, when: 'The request took too long to arrive.', client: 'Send it again on a new connection.', retry: 'redo' },
  'too-large': {
    status: 413,
    when: 'The body, or a byte string in it, is larger than this server takes.',
    client: 'Send less. `limit` is the number of bytes that is taken, where there is one number.',
    retry: 'no',
    members: { limit: z.int().nonnegative().optional() },
  },
  'uri-too-long': { status: 414, when: 'The address, or a part of it, is too long.', client: 'Shorten it.', retry: 'no' },
  'unsupported-media-type': {
    status: 415,
    when: 'The body is of a type that this operation does not take.',
    client: 'Send one of the types that the operation lists.',
    retry: 'no',
  },
  undecodable: {
    status: 422,
    when: 'Bytes that should hold a structure (an MLSMessage, a tree, a request) do not decode strictly, or hold another one; `detail` says which and why.',
    client: 'Correct the encoder. For uploads, `list` and `index` say which of the KeyPackages it is.',
    retry: 'no',
    members: { list: z.enum(['key_packages', 'last_resort']).optional(), index: z.int().nonnegative().optional() },
  },
  'rate-limited': {
    status: 429,
    when: 'This address, account, device or provider has asked too often.',
    client: 'Wait for `Retry-After` seconds, then send the same request.',
    retry: 'wait',
    members: {
      retry_after: z.int().nonnegative().optional().meta({ description: 'Seconds, as in the Retry-After header' }),
      used: z
        .int()
        .nonnegative()
        .optional()
        .meta({ description: 'How much of the quota is used, where the limit is for an hour or a day' }),
      allowed: z.int().nonnegative().optional().meta({ description: 'How much of it there is' }),
    },
  },
  'headers-too-large': { status: 431, when: 'The header fields are too large together.', client: 'Send fewer.', retry: 'no' },
  internal: {
    status: 500,
    when: 'Something failed unexpectedly. `instance` names the request in the server’s log.',
    client: 'Tell the operator. Submissions can be sent again with the same bytes: what was accepted is answered as accepted.',
    retry: 'redo',
  },
  'expectation-failed': {
    status: 417,
    when: 'The field Expect names something other than 100-continue.',
    client: 'Leave the field out.',
    retry: 'no',
  },
  'transfer-coding-unsupported': {
    status: 501,
    when: 'The body comes in a transfer coding other than chunked.',
    client: 'Send it plainly, or chunked.',
    retry: 'no',
  },
  unavailable: {
    status: 503,
    when: 'This node stops, is full, or waits for its database.',
    client: 'Wait for `Retry-After` seconds, then send the same request; another node may take it.',
    retry: 'wait',
  },
}
