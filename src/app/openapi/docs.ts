import type { INestApplication } from '@nestjs/common'
import { SwaggerModule, type OpenAPIObject } from '@nestjs/swagger'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { stringify } from 'yaml'
import type { Config } from '../../platform/config/config.js'
import { describeApi } from './document.js'

/** Swagger UI from its npm package: nothing is fetched from elsewhere. Built on the first visit. */
export function serveDocs(app: INestApplication, config: Pick<Config, 'PUBLIC_URL'>): void {
  const document = once(() => {
    const described = describeApi(app)
    return config.PUBLIC_URL ? { ...described, servers: [{ url: config.PUBLIC_URL }] } : described
  })
  SwaggerModule.setup('docs', app, document, {
    raw: false,
    customSiteTitle: 'MicroChat Server API',
    swaggerOptions: { persistAuthorization: false, tryItOutEnabled: true, displayRequestDuration: true },
  })
  serveText(app, '/openapi.json', 'application/json', () => JSON.stringify(document()))
  serveText(app, '/openapi.yaml', 'text/yaml', () => yamlOf(document()))
}

/** Swagger's own module would write the document out again for each visit: 25 ms of the event loop in YAML, for anybody. */
function serveText(app: INestApplication, path: string, type: string, text: () => string): void {
  const bytes = once(() => Buffer.from(text()))
  app.getHttpAdapter().get(path, (_request: FastifyRequest, reply: FastifyReply) => void reply.type(type).send(bytes()))
}

function yamlOf(document: OpenAPIObject): string {
  return stringify(document, { aliasDuplicateObjects: false, lineWidth: 120 })
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined
  return () => (made ??= { value: make() }).value
}
