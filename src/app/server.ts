import type { Type } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import type { Logger } from 'pino'
import type { Config } from '../platform/config/config.js'
import { registerAccessLog } from '../platform/http/access-log.js'
import { registerBodyParsers } from '../platform/http/body-parsers.js'
import { Connections } from '../platform/http/connections.js'
import { createAdapter } from '../platform/http/fastify-adapter.js'
import { registerHooks } from '../platform/http/hooks.js'
import { traceRequests } from '../platform/http/trace-requests.js'
import { launching } from '../platform/launch.js'
import { Metrics } from '../platform/observability/metrics.js'
import { NestLogger } from '../platform/observability/nest-logger.js'
import { Readiness } from '../platform/observability/readiness.js'
import { AppModule } from './app.module.js'
import { serveDocs } from './docs/serve-docs.js'

export interface AssembledServer {
  app: NestFastifyApplication
  connections: Connections
}

/**
 * The whole server, assembled and ready to listen. The database is migrated already.
 * @param root what to assemble; tests add routes of their own
 */
export async function createServer(config: Config, log: Logger, root: Type = AppModule): Promise<AssembledServer> {
  const app = await launching({ config, log }, () =>
    NestFactory.create<NestFastifyApplication>(root, createAdapter(config, log), {
      bodyParser: false,
      abortOnError: false,
      logger: new NestLogger(log),
    }),
  )
  const fastify = app.getHttpAdapter().getInstance()
  if (config.OTEL_EXPORTER_OTLP_ENDPOINT) traceRequests(fastify)
  registerHooks(fastify, config, app.get(Readiness))
  registerAccessLog(fastify, log, app.get(Metrics))
  registerBodyParsers(fastify)
  serveDocs(fastify, config)
  const connections = new Connections()
  connections.watch(app.getHttpServer())
  return { app, connections }
}

/** @returns where it listens, which is only known now if PORT is 0 */
export async function listen({ app }: AssembledServer, config: Pick<Config, 'HOST' | 'PORT'>): Promise<string> {
  await app.listen(config.PORT, config.HOST)
  return app.getUrl()
}
