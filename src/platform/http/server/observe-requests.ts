import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import { context, propagation, SpanKind, SpanStatusCode, trace, type Span } from '@opentelemetry/api'
import type { Metrics } from '../../observability/metrics.js'

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

/** One span per request, by route template; what happens inside becomes its children. Routes that opted out of logs stay out here, too. */
export function traceRequests(fastify: FastifyInstance): void {
  const spans = new WeakMap<FastifyRequest, Span>()
  fastify.addHook('onRequest', (request, _reply, done) => {
    if (request.routeOptions.config.unlogged) return done()
    const parent = propagation.extract(context.active(), request.headers)
    const span = trace.getTracer('microchat').startSpan(
      `${request.method} ${routeOf(request)}`,
      {
        kind: SpanKind.SERVER,
        attributes: { 'http.request.method': request.method, 'http.route': routeOf(request) },
      },
      parent,
    )
    spans.set(request, span)
    context.with(trace.setSpan(parent, span), done)
  })
  fastify.addHook('onResponse', (request, reply, done) => {
    const span = spans.get(request)
    span?.setAttribute('http.response.status_code', reply.statusCode)
    if (reply.statusCode >= 500) span?.setStatus({ code: SpanStatusCode.ERROR })
    span?.end()
    done()
  })
}

function routeOf(request: FastifyRequest): string {
  return request.is404 ? 'unmatched' : (request.routeOptions.url ?? 'unmatched')
}
