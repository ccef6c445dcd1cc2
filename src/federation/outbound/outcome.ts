import type { IncomingHttpHeaders } from 'node:http'
import { isError } from '../../platform/observability/is-error.js'

export interface Answered {
  readonly kind: 'answered'
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Uint8Array
}

/** What kept an answer from coming. The detail is for the operator and holds nothing that a peer has written. */
export interface NotAnswered {
  readonly kind:
    | 'refused-url'
    | 'refused-address'
    | 'redirected'
    | 'too-large'
    | 'encoded'
    | 'timed-out'
    | 'unreachable'
    | 'tls-failed'
    | 'malformed-response'
  readonly detail: string
  /** The connection ended before any of an answer came, and others had been kept open to the same host: it may have been one of those. */
  readonly hungUp?: true
}

export type Outcome = Answered | NotAnswered

/** Thrown within the client only, and turned into an outcome there. */
export class RequestRefused extends Error {
  constructor(
    readonly kind: NotAnswered['kind'],
    detail: string,
  ) {
    super(detail)
  }
}

const KINDS: readonly [RegExp, NotAnswered['kind']][] = [
  [/^(UND_ERR_(CONNECT|HEADERS|BODY)_TIMEOUT|ETIMEDOUT|ABORT_ERR)$/, 'timed-out'],
  [/^UND_ERR_(HEADERS_OVERFLOW|RES_EXCEEDED_MAX_SIZE)$|^HPE_HEADER_OVERFLOW$/, 'too-large'],
  [/^HPE_|^HTTPParserError$|^UND_ERR_RES_CONTENT_LENGTH_MISMATCH$/, 'malformed-response'],
  [/^(ERR_TLS|ERR_SSL|CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|EPROTO|HOSTNAME_MISMATCH)/, 'tls-failed'],
]

/** Whether a connection ended that had been made before, without a byte of an answer. */
export function isHangUp(error: unknown): boolean {
  return /^(UND_ERR_SOCKET|ECONNRESET|EPIPE)$/.test(codeOf(error))
}

/** An error of the connection as an outcome. */
export function outcomeOf(error: unknown): NotAnswered {
  const refusal = refusalIn(error)
  if (refusal) return { kind: refusal.kind, detail: refusal.message }
  const code = codeOf(error)
  const kind = KINDS.find(([pattern]) => pattern.test(code))?.[1] ?? 'unreachable'
  return { kind, detail: code || 'The connection failed.' }
}

function refusalIn(error: unknown): RequestRefused | undefined {
  if (error instanceof RequestRefused) return error
  return isError(error) && error.cause !== undefined ? refusalIn(error.cause) : undefined
}

function codeOf(error: unknown): string {
  if (!isError(error)) return ''
  if (error.name === 'AbortError' || error.name === 'TimeoutError') return 'ABORT_ERR'
  if ('code' in error && typeof error.code === 'string') return error.code
  return error.cause === undefined ? error.name : codeOf(error.cause)
}
