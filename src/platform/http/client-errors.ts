import type { Socket } from 'node:net'
import { answerOnSocket } from '../admission/raw-answer.js'
import type { Cors } from './cors.js'
import { Problem } from './problem.js'
import { requestId } from './request-id.js'

type ParserError = Error & { code?: string }

/** What Node's own HTTP parser refuses never becomes a request: answered here, on the bare socket. A page can meet 431 and 408. */
export function answerClientErrors(cors: Cors): (error: ParserError, socket: Socket) => void {
  return (error, socket) => answerClientError(error, socket, cors.fieldsWithoutRequest())
}

export function answerClientError(error: ParserError, socket: Socket, fields: Readonly<Record<string, string>> = {}): void {
  if (error.code === 'ECONNRESET') return void socket.destroy()
  answerOnSocket(socket, problemOf(error.code), requestId({ headers: {} }), fields)
}

function problemOf(code: string | undefined): Problem {
  if (code === 'HPE_HEADER_OVERFLOW') return new Problem(431, 'headers-too-large', 'The header fields are too large.')
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new Problem(408, 'timeout', 'The request took too long to arrive.')
  return new Problem(400, 'invalid-request', 'This is not a complete HTTP request.')
}
