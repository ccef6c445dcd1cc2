import type { FastifyInstance, FastifyRequest } from 'fastify'
import { registerAdmission, type AdmissionHooks } from '../../admission/register-admission.js'
import type { Config } from '../../config/config.js'
import type { Readiness } from '../../observability/readiness.js'
import { MethodNotAllowed, NotFound, Unavailable, type Problem } from '../problem.js'
import { bodyLimitOf } from '../route-options.js'
import type { RouterRefusal } from './fastify-adapter.js'

const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
}

type Settings = Pick<Config, 'ROLE' | 'MAX_MESSAGE_BYTES' | 'MAX_BODY_BYTES'>

/**
 * What holds for every request, whichever route it meets.
 * @returns what answers those that the router refuses: they meet no hook
 */
export function registerHooks(
  fastify: FastifyInstance,
  config: Settings,
  readiness: Readiness,
  admission: Omit<AdmissionHooks, 'routeRefusal'>,
): RouterRefusal {
  const allowed = new AllowedMethods()
  allowed.watch(fastify)
  fastify.addHook('onRoute', (route) => {
    route.bodyLimit = bodyLimitOf(route.config?.body ?? (route.config?.mimi ? 'large' : 'small'), config)
  })
  fastify.addHook('onRequest', (request, reply, done) => {
    void reply.headers({ 'x-request-id': request.id, ...SECURITY_HEADERS })
    admission.cors.setFields(request, reply)
    if (readiness.isDraining) void reply.header('connection', 'close')
    done()
  })
  const refuse = registerAdmission(fastify, { ...admission, routeRefusal: (request) => routeRefusal(request, allowed, config) })
  fastify.addHook('onSend', (_request, reply, payload, done) => {
    // Answers hold what only their caller may see; the documentation's assets have their own headers.
    if (!reply.hasHeader('cache-control')) void reply.header('cache-control', 'no-store')
    admission.cors.completeVary(reply)
    done(null, payload)
  })
  return (error, request, reply) => {
    admission.cors.setFields(request, reply)
    refuse(error, request, reply)
  }
}

function routeRefusal(request: FastifyRequest, allowed: AllowedMethods, { ROLE }: Settings): Problem | undefined {
  if (request.is404) {
    const methods = allowed.of(pathOf(request.url))
    return methods.length > 0 && !methods.includes(request.method) ? new MethodNotAllowed(methods) : new NotFound()
  }
  const offDuty = ROLE === 'worker' && !request.routeOptions.config.operational
  return offDuty ? new Unavailable('This process only runs jobs.') : undefined
}

function pathOf(url: string): string {
  const end = url.search(/[?#]/)
  return end === -1 ? url : url.slice(0, end)
}

/** Remembers every route, to tell a wrong method (405) from a wrong address (404). Asked only after a miss. */
export class AllowedMethods {
  private readonly methods = new Map<string, Set<string>>()

  watch(fastify: FastifyInstance): void {
    fastify.addHook('onRoute', (route) => {
      const known = this.methods.get(route.url) ?? new Set()
      for (const method of [route.method].flat()) known.add(method)
      this.methods.set(route.url, known)
    })
  }

  /**
   * Of the routes with the fewest parameters that fit: `/v1/key-packages/claims` is a resource of its own and no `/v1/key-packages/:ref`.
   * @param path without query; parameters match one segment each, as in the router
   */
  of(path: string): string[] {
    const segments = path.split('/')
    const fitting = [...this.methods].filter(([template]) => !template.includes('*') && matches(template.split('/'), segments))
    const fewest = Math.min(...fitting.map(([template]) => parametersIn(template)))
    const methods = fitting.filter(([template]) => parametersIn(template) === fewest).flatMap(([, of]) => [...of])
    return [...new Set(methods)].sort()
  }
}

function matches(template: readonly string[], segments: readonly string[]): boolean {
  return (
    template.length === segments.length &&
    template.every((part, index) => (part.startsWith(':') ? segments[index] !== '' : part === segments[index]))
  )
}

function parametersIn(template: string): number {
  return template.split('/').filter((part) => part.startsWith(':')).length
}
