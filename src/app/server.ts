import underPressure from '@fastify/under-pressure'
import type { Type } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import { Posts } from '../delivery/stream/posts/posts.js'
import { authenticateRequest, Sessions } from '../authentication/session/sessions.js'
import { Admission, type Asker } from '../platform/admission/admission.js'
import { ConnectionGuard, maxConnections } from '../platform/admission/connection-guard.js'
import { heapShare, Pressure, SAMPLE_MS } from '../platform/admission/pressure.js'
import { proxiesOf } from '../platform/admission/proxies.js'
import type { Config } from '../platform/config/config.js'
import { registerAccessLog, traceRequests } from '../platform/http/server/observe-requests.js'
import { registerBodyParsers } from '../platform/http/server/body-parsers.js'
import { answerClientErrors } from '../platform/http/server/client-errors.js'
import { Cors } from '../platform/http/server/cors.js'
import { createAdapter, type RouterRefusal } from '../platform/http/server/fastify-adapter.js'
import { registerHooks } from '../platform/http/server/hooks.js'
import { servePathCheck } from './operations/path-check.js'
import { sendProblem } from '../platform/http/send-problem.js'
import { launching } from '../platform/platform.module.js'
import { Metrics } from '../platform/observability/metrics.js'
import { NestLogger } from '../platform/observability/nest-logger.js'
import { Readiness } from '../platform/observability/readiness.js'
import { AppModule } from './app.module.js'
import { overrideLimits } from './limits/all-limits.js'
import { serveDocs } from './docs/serve-docs.js'
import { Operations, serveOperations } from './operations/operations.js'

export interface AssembledServer {
  app: NestFastifyApplication
  connections: ConnectionGuard
}

/**
 * The whole server, assembled and ready to listen. The database is migrated already.
 * @param root what to assemble; tests add routes of their own
 */
export async function createServer(config: Config, log: Logger, root: Type = AppModule): Promise<AssembledServer> {
  overrideLimits(config.LIMITS)
  // Requests of a server that is not assembled yet are refused by nothing that could count.
  const refusals: { count: (limit: string) => void } = { count: () => undefined }
  const router: { refuse: RouterRefusal } = { refuse: (error, request, reply) => sendProblem(error, request, reply, log) }
  const proxies = proxiesOf(config.TRUST_PROXY)
  const connections = new ConnectionGuard({
    maxConnections: maxConnections(config.MAX_CONNECTIONS),
    connectionsPerAddress: config.CONNECTIONS_PER_ADDRESS,
    isProxy: (address) => proxies.isProxy(address),
    refused: ({ name }) => refusals.count(name),
  })
  const cors = new Cors(config)
  const app = await launching({ config, log }, () =>
    NestFactory.create<NestFastifyApplication>(
      root,
      createAdapter(config, proxies, connections, {
        refuse: (error, request, reply) => router.refuse(error, request, reply),
        clientError: answerClientErrors(log, cors),
      }),
      { bodyParser: false, abortOnError: false, logger: new NestLogger(log) },
    ),
  )
  const fastify = app.getHttpAdapter().getInstance()
  const metrics = app.get(Metrics)
  refusals.count = (limit) => metrics.limitsRefused.inc({ limit })
  if (config.OTEL_EXPORTER_OTLP_ENDPOINT) traceRequests(fastify)
  const admission = new Admission(config, await watchPressure(fastify, app.get(Pressure)), ({ name }) => refusals.count(name))
  app.get(Posts).countBy(admission)
  showHeld(metrics, connections, admission)
  const authenticate = askerBy(app.get(Sessions))
  router.refuse = registerHooks(fastify, config, app.get(Readiness), { admission, authenticate, cors, log })
  registerAccessLog(fastify, log, app.get(Metrics))
  registerBodyParsers(fastify)
  servePathCheck(fastify)
  serveDocs(fastify, config)
  if (config.OPERATIONS_PORT === undefined) serveOperations(fastify, app.get(Operations))
  return { app, connections }
}

function showHeld(metrics: Metrics, connections: ConnectionGuard, admission: Admission): void {
  metrics.gauge('http_connections_open', 'Open connections without streams', () => connections.connections)
  metrics.gauge('http_requests_in_flight', 'Requests that are not answered yet', () => admission.requests)
  metrics.gauge('http_bytes_in_flight', 'Bytes of request bodies and of answers that are not sent yet', () => admission.bytes.total)
}

function askerBy(sessions: Sessions): (request: FastifyRequest) => Promise<Asker> {
  return async (request) => {
    const { deviceId, userId } = await authenticateRequest(sessions, request)
    return { device: String(deviceId), account: String(userId) }
  }
}

/** Samples of the event loop's delay and of the heap, by @fastify/under-pressure, which has one threshold where we need three. */
async function watchPressure(fastify: FastifyInstance, pressure: Pressure): Promise<Pressure> {
  await fastify.register(underPressure, { sampleInterval: SAMPLE_MS })
  const timer = setInterval(() => {
    const { eventLoopDelay, heapUsed } = fastify.memoryUsage()
    pressure.note({ delayMs: eventLoopDelay, heap: heapShare(heapUsed) })
  }, SAMPLE_MS).unref()
  fastify.addHook('onClose', async () => clearInterval(timer))
  return pressure
}

/** @returns where it listens, which is only known now if PORT is 0 */
export async function listen({ app }: AssembledServer, config: Pick<Config, 'HOST' | 'PORT'>): Promise<string> {
  await app.listen(config.PORT, config.HOST)
  return app.getUrl()
}
