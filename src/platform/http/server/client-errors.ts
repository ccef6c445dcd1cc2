import type { Socket } from 'node:net'
import type { Logger } from 'pino'
import { answerOnSocket } from '../../admission/raw-answer.js'
import type { Cors } from './cors.js'
import { Problem } from '../problem.js'
import { requestId } from '../problem-document.js'

/**
 * What Node's own HTTP parser refuses never becomes a request: answered here, on the bare socket. A page can meet 431 and 408.
 * @param cors absent on a port that no page uses
 */
export function answerClientErrors(log: Logger, cors?: Cors): (error: Error & { code?: string }, socket: Socket) => void {
  return (error, socket) => {
    if (error.code === 'ECONNRESET') return void socket.destroy()
    // What still comes is dropped: each further piece would be an error of its own, and the second one ends the connection.
    socket.removeAllListeners('data')
    const problem = problemOf(error.code)
    const id = requestId({ headers: {} })
    // As in the access log, so that the instance of the answer is found; nothing of what was sent.
    log.info({ request_id: id, route: 'unmatched', status: problem.status }, 'request')
    answerOnSocket(socket, problem, id, cors?.fieldsWithoutRequest())
  }
}

function problemOf(code: string | undefined): Problem {
  if (code === 'HPE_HEADER_OVERFLOW') return new Problem(431, 'headers-too-large', 'The header fields are too large.')
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new Problem(408, 'timeout', 'The request took too long to arrive.')
  return new Problem(400, 'invalid-request', 'This is not a complete HTTP request.')
}
