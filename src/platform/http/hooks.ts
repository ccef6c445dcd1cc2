import type { FastifyInstance } from 'fastify'
import type { Config } from '../config/config.js'
import type { Readiness } from '../observability/readiness.js'
import { AllowedMethods } from './allowed-methods.js'
import { MethodNotAllowed, Unavailable } from './problem.js'

const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
}

/** What holds for every request, whichever route it meets. */
export function registerHooks(fastify: FastifyInstance, config: Pick<Config, 'ROLE'>, readiness: Readiness): void {
  const allowed = new AllowedMethods()
  allowed.watch(fastify)
  fastify.addHook('onRequest', (request, reply, done) => {
    void reply.headers({ 'x-request-id': request.id, ...SECURITY_HEADERS })
    if (readiness.isDraining) void reply.header('connection', 'close')
    if (request.is404) return done(wrongMethod(allowed.of(pathOf(request.url)), request.method))
    const offDuty = config.ROLE === 'worker' && !request.routeOptions.config.operational
    return done(offDuty ? new Unavailable('This process only runs jobs.') : undefined)
  })
  fastify.addHook('onSend', (_request, reply, payload, done) => {
    // Answers hold what only their caller may see; the documentation's assets have their own headers.
    if (!reply.hasHeader('cache-control')) void reply.header('cache-control', 'no-store')
    done(null, payload)
  })
}

function wrongMethod(allow: readonly string[], method: string): Error | undefined {
  return allow.length > 0 && !allow.includes(method) ? new MethodNotAllowed(allow) : undefined
}

function pathOf(url: string): string {
  const end = url.search(/[?#]/)
  return end === -1 ? url : url.slice(0, end)
}
