import type { Socket } from 'node:net'
import { answerOnSocket } from '../admission/raw-answer.js'
import { Problem } from './problem.js'
import { requestId } from './request-id.js'

/** What Node's own HTTP parser refuses never becomes a request: answered here, on the bare socket. */
export function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET') return void socket.destroy()
  // What still comes is dropped: each further piece would be an error of its own, and the second one ends the connection.
  socket.removeAllListeners('data')
  answerOnSocket(socket, problemOf(error.code), requestId({ headers: {} }))
}

function problemOf(code: string | undefined): Problem {
  if (code === 'HPE_HEADER_OVERFLOW') return new Problem(431, 'headers-too-large', 'The header fields are too large.')
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new Problem(408, 'timeout', 'The request took too long to arrive.')
  return new Problem(400, 'invalid-request', 'This is not a complete HTTP request.')
}
