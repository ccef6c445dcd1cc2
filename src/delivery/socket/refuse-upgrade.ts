import { randomUUID } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { Problem } from '../../platform/http/problem.js'
import { PROBLEM_MEDIA_TYPE, problemDocument } from '../../platform/http/problem-document.js'
import { problemFor } from '../../platform/http/send-problem.js'

/** Answers an upgrade that will not be one, as any request is answered (RFC 9457); then the connection ends. */
export function refuseUpgrade(socket: Duplex, thrown: unknown): void {
  const problem = problemFor(thrown) ?? new Problem(500, 'internal', 'Something went wrong here.')
  const body = JSON.stringify(problemDocument(problem, randomUUID()))
  const headers = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? 'Error'}`,
    `content-type: ${PROBLEM_MEDIA_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
    ...(problem.status === 401 ? ['www-authenticate: Bearer'] : []),
    ...(problem.retryAfter === undefined ? [] : [`retry-after: ${problem.retryAfter}`]),
  ]
  socket.end(`${headers.join('\r\n')}\r\n\r\n${body}`)
}
