import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { Problem } from './problem.js'
import { PROBLEM_MEDIA_TYPE, problemDocument } from './problem-document.js'
import { requestId } from './request-id.js'

/** What Node's own HTTP parser refuses never becomes a request: answered here, on the bare socket. */
export function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const problem = problemOf(error.code)
  const id = requestId({ headers: {} })
  const body = JSON.stringify(problemDocument(problem, id))
  socket.end(
    [
      `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? 'Error'}`,
      `content-type: ${PROBLEM_MEDIA_TYPE}`,
      `content-length: ${Buffer.byteLength(body)}`,
      `x-request-id: ${id}`,
      'connection: close',
      '',
      body,
    ].join('\r\n'),
  )
}

function problemOf(code: string | undefined): Problem {
  if (code === 'HPE_HEADER_OVERFLOW') return new Problem(431, 'headers-too-large', 'The header fields are too large.')
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new Problem(408, 'timeout', 'The request took too long to arrive.')
  return new Problem(400, 'invalid-request', 'This is not a complete HTTP request.')
}
