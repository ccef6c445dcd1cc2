import { STATUS_CODES, type IncomingMessage } from 'node:http'
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { Problem } from './problem.js'

/** RFC 9457 §3.1, with the request id as the instance. Further members depend on the type. */
export const ProblemDocument = z
  .looseObject({
    type: z.string().meta({ description: 'Stable name of the kind of problem', examples: ['urn:microchat:problem:invalid-request'] }),
    title: z.string(),
    status: z.int(),
    detail: z.string().optional(),
    instance: z.string().optional().meta({ description: 'urn:request: and the id that the log has, too' }),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem details' })
export type ProblemDocument = z.infer<typeof ProblemDocument>

export const PROBLEM_MEDIA_TYPE = 'application/problem+json'

/** @param requestId shown as `instance`; members of RFC 9457 win over those of `problem.extension` */
export function problemDocument(problem: Problem, requestId: string): ProblemDocument {
  return {
    ...problem.extension,
    type: `urn:microchat:problem:${problem.type}`,
    title: STATUS_CODES[problem.status] ?? 'Error',
    status: problem.status,
    detail: problem.detail,
    instance: `urn:request:${requestId}`,
  }
}

const SANE = /^[A-Za-z0-9._-]{8,64}$/

/** The caller's X-Request-Id, so that a proxy's log and ours can be joined, unless it could spoil a log line. */
export function requestId(request: Pick<IncomingMessage, 'headers'>): string {
  const given = request.headers['x-request-id']
  return typeof given === 'string' && SANE.test(given) ? given : randomUUID()
}
