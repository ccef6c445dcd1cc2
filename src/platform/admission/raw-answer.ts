import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { ACCESS_CHALLENGE, type Problem } from '../http/problem.js'
import { PROBLEM_MEDIA_TYPE, problemDocument } from '../http/problem-document.js'

/** How long a client may take to read a last answer and to close its half of the connection. */
const CLOSING_MS = 2_000

/**
 * Answers on a bare socket, where there is no request that Fastify could answer: an upgrade that is refused, bytes that
 * are not HTTP. Then the connection ends, also if the client never closes its half.
 * @param fields more header fields, by name
 */
export function answerOnSocket(socket: Duplex, problem: Problem, requestId: string, fields: Readonly<Record<string, string>> = {}): void {
  if (!socket.writable) return void socket.destroy()
  const body = JSON.stringify(problemDocument(problem, requestId))
  const headers = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? 'Error'}`,
    `content-type: ${PROBLEM_MEDIA_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${requestId}`,
    'connection: close',
    ...(problem.status === 401 ? [`www-authenticate: ${problem.challenge ?? ACCESS_CHALLENGE}`] : []),
    ...(problem.retryAfter === undefined ? [] : [`retry-after: ${problem.retryAfter}`]),
    ...Object.entries(fields).map(([name, value]) => `${name}: ${value}`),
  ]
  socket.end(`${headers.join('\r\n')}\r\n\r\n${body}`)
  // What still arrives is read and dropped: closing with unread bytes would reset the connection before the answer is read.
  socket.resume()
  const timer = setTimeout(() => socket.destroy(), CLOSING_MS).unref()
  socket.once('close', () => clearTimeout(timer))
}
