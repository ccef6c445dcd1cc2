import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { stringify } from 'yaml'
import type { Config } from '../../platform/config/config.js'
import { answerWith, representationOf, type Representation } from '../../platform/http/public-document.js'
import { describeApi } from './document.js'
import { docsPage, DOCS_SCRIPT } from './docs-page.js'

const CACHE = 'public, max-age=300'
const HTML = 'text/html; charset=utf-8'
const JAVASCRIPT = 'text/javascript; charset=utf-8'
/** Of the package swagger-ui-dist: nothing is fetched from elsewhere. */
const ASSETS = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': JAVASCRIPT,
  'favicon-16x16.png': 'image/png',
  'favicon-32x32.png': 'image/png',
}

/** The API's description, and Swagger UI over it. Each is made on its first visit, and from then on is bytes in memory. */
export function serveDocs(app: NestFastifyApplication, config: Pick<Config, 'PUBLIC_URL'>): void {
  const fastify = app.getHttpAdapter().getInstance()
  const serve = (path: string, make: () => Promise<Representation>) => {
    let made: Promise<Representation> | undefined
    fastify.get(path, { config: { anonymous: true } }, async (request, reply) => {
      made ??= make()
      made.catch(() => (made = undefined))
      return reply.send(answerWith(await made, CACHE, request, reply))
    })
  }
  const description = onDemand(() => {
    const document = describeApi(app)
    return config.PUBLIC_URL ? { ...document, servers: [{ url: config.PUBLIC_URL }] } : document
  })
  serve('/openapi.json', async () => representationOf(JSON.stringify(description()), 'application/json; charset=utf-8'))
  serve('/openapi.yaml', async () =>
    representationOf(stringify(description(), { aliasDuplicateObjects: false }), 'text/yaml; charset=utf-8'),
  )
  serve('/docs', async () => representationOf(docsPage('./docs/'), HTML))
  serve('/docs/', async () => representationOf(docsPage('./'), HTML))
  serve('/docs/init.js', async () => representationOf(DOCS_SCRIPT, JAVASCRIPT))
  const folder = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'))
  for (const [name, contentType] of Object.entries(ASSETS)) {
    serve(`/docs/${name}`, async () => representationOf(await readFile(join(folder, name)), contentType))
  }
}

function onDemand<T>(make: () => T): () => T {
  let made: { value: T } | undefined
  return () => (made ??= { value: make() }).value
}
