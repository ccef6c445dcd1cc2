import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { parse } from 'yaml'
import type { Config } from '../../platform/config/config.js'
import { answerWith, representationOf, type Representation } from '../../platform/http/public-document.js'
import { PAGE_CSS } from './html.js'
import { apiPage, errorsHtml, landingPage, START_JS } from './plain-pages.js'
import { streamPage, type AsyncApi } from './stream-page.js'

/** The generated files of the repository, from src/app/docs as well as from dist/app/docs: a server shows what was checked in. */
const OPENAPI = new URL('../../../openapi.yaml', import.meta.url)
const ASYNCAPI = new URL('../../../docs/asyncapi.yaml', import.meta.url)
const SWAGGER_UI = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'))

const CACHE = 'public, max-age=300'

/** Swagger UI sets styles on elements; scripts come from this server alone, and no other page may frame these. */
const SAFETY = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-frame-options': 'DENY',
}

/**
 * The landing page at `/`, both descriptions, and their pages under `/docs`; nothing of it where DOCS is off. Everything comes from npm
 * packages and files of this release: nothing is fetched from elsewhere. Each is made on its first visit, and from then on is bytes in memory.
 */
export function serveDocs(fastify: FastifyInstance, config: Pick<Config, 'DOCS' | 'OPERATIONS_PORT' | 'PUBLIC_URL'>): void {
  if (config.DOCS === 'off') return
  const serve = (path: string, type: string, content: () => string | Promise<string>) => {
    let made: Promise<Representation> | undefined
    fastify.get(path, { config: { anonymous: true } }, async (request, reply) => {
      made ??= Promise.resolve(content()).then((text) => representationOf(text, `${type}; charset=utf-8`))
      made.catch(() => (made = undefined))
      return reply.headers(SAFETY).send(answerWith(await made, CACHE, request, reply))
    })
  }
  serve('/', 'text/html', () => landingPage(config))
  serve('/docs', 'text/html', apiPage)
  serve('/docs/', 'text/html', apiPage)
  serve('/docs/stream', 'text/html', async () => streamPage(parse(await text(ASYNCAPI)) as AsyncApi))
  serve('/docs/errors', 'text/html', errorsHtml)
  serve('/openapi.json', 'application/json', () => openapiJson(config))
  serve('/openapi.yaml', 'application/yaml', () => text(OPENAPI))
  serve('/asyncapi.yaml', 'application/yaml', () => text(ASYNCAPI))
  serve('/docs/assets/page.css', 'text/css', () => PAGE_CSS)
  serve('/docs/assets/start.js', 'text/javascript', () => START_JS)
  serve('/docs/assets/swagger-ui.css', 'text/css', () => readFile(join(SWAGGER_UI, 'swagger-ui.css'), 'utf8'))
  serve('/docs/assets/swagger-ui-bundle.js', 'text/javascript', () => readFile(join(SWAGGER_UI, 'swagger-ui-bundle.js'), 'utf8'))
}

/** openapi.yaml as JSON, with this server as the one to try things out on. */
async function openapiJson({ PUBLIC_URL }: Pick<Config, 'PUBLIC_URL'>): Promise<string> {
  const document = parse(await text(OPENAPI)) as object
  return JSON.stringify({ ...document, servers: [{ url: PUBLIC_URL ?? '/' }] })
}

function text(file: URL): Promise<string> {
  return readFile(file, 'utf8')
}
