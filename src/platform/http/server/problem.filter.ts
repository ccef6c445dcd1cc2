import { Catch, HttpException, Inject, Injectable, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import { LOG } from '../../observability/log.js'
import { Metrics } from '../../observability/metrics.js'
import { Problem } from '../problem.js'
import { sendProblem } from '../send-problem.js'

/** The one place where a thrown thing becomes an answer, for requests that reached Nest. */
@Catch()
@Injectable()
export class ProblemFilter implements ExceptionFilter {
  constructor(
    @Inject(LOG) private readonly log: Logger,
    private readonly metrics: Metrics,
  ) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    if (host.getType() !== 'http') throw thrown
    const http = host.switchToHttp()
    const cause = thrown instanceof HttpException && thrown.cause instanceof Problem ? thrown.cause : thrown
    if (cause instanceof Problem && cause.limit !== undefined) this.metrics.limitsRefused.inc({ limit: cause.limit })
    sendProblem(cause, http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>(), this.log)
  }
}
