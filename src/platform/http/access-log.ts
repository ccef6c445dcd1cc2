import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import type { Metrics } from '../observability/metrics.js'

/** One line and one measurement per request, by route template: an address holds group and device ids. */
export function registerAccessLog(fastify: FastifyInstance, log: Logger, metrics: Metrics): void {
  fastify.addHook('onResponse', (request: FastifyRequest, reply: FastifyReply, done) => {
    const route = request.is404 ? 'unmatched' : (request.routeOptions.url ?? 'unmatched')
    const { statusCode: status, elapsedTime } = reply
    metrics.httpDuration.observe({ method: request.method, route, status }, elapsedTime / 1000)
    if (!request.routeOptions.config.unlogged) {
      log.info({ request_id: request.id, method: request.method, route, status, duration_ms: Math.round(elapsedTime * 10) / 10 }, 'request')
    }
    done()
  })
}
