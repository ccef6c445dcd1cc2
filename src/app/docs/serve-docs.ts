import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { parse } from 'yaml'
import type { Config } from '../../platform/config/config.js'
import { PAGE_CSS } from './html.js'
import { apiPage, errorsHtml, landingPage, START_JS } from './plain-pages.js'
import { streamPage, type AsyncApi } from './stream-page.js'

/** The generated files of the repository, from src/app/docs as well as from dist/app/docs: a server shows what was checked in. */
const OPENAPI = new URL('../../../openapi.yaml', import.meta.url)
const ASYNCAPI = new URL('../../../docs/asyncapi.yaml', import.meta.url)
const SWAGGER_UI = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'))

/** Swagger UI sets styles on elements; scripts come from this server alone, and no other page may frame these. */
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

type Content = () => string | Promise<string>

/**
 * The landing page at `/`, both descriptions, and their pages under `/docs`; nothing of it where DOCS is off. Everything comes from npm
 * packages and files of this release: nothing is fetched from elsewhere. Read on the first visit.
 */
export function serveDocs(fastify: FastifyInstance, config: Pick<Config, 'DOCS' | 'PUBLIC_URL'>): void {
  if (config.DOCS === 'off') return
  const openapi = once(async () =>
    JSON.stringify({ ...(parse(await text(OPENAPI)) as object), servers: [{ url: config.PUBLIC_URL ?? '/' }] }),
  )
  const files: readonly (readonly [path: string, type: string, content: Content])[] = [
    ['/', 'text/html', landingPage],
    ['/docs', 'text/html', apiPage],
    ['/docs/', 'text/html', apiPage],
    ['/docs/stream', 'text/html', once(async () => streamPage(parse(await text(ASYNCAPI)) as AsyncApi))],
    ['/docs/errors', 'text/html', once(errorsHtml)],
    ['/openapi.json', 'application/json', openapi],
    ['/openapi.yaml', 'application/yaml', once(() => text(OPENAPI))],
    ['/asyncapi.yaml', 'application/yaml', once(() => text(ASYNCAPI))],
    ['/docs/assets/page.css', 'text/css', () => PAGE_CSS],
    ['/docs/assets/start.js', 'text/javascript', () => START_JS],
    ['/docs/assets/swagger-ui.css', 'text/css', once(() => readFile(join(SWAGGER_UI, 'swagger-ui.css'), 'utf8'))],
    ['/docs/assets/swagger-ui-bundle.js', 'text/javascript', once(() => readFile(join(SWAGGER_UI, 'swagger-ui-bundle.js'), 'utf8'))],
  ]
  for (const [path, type, content] of files) fastify.get(path, async (_request, reply) => send(reply, type, await content()))
}

function send(reply: FastifyReply, type: string, body: string): string {
  void reply.headers({
    'content-type': `${type}; charset=utf-8`,
    'cache-control': 'no-cache',
    'content-security-policy': CSP,
    'x-frame-options': 'DENY',
  })
  return body
}

function text(file: URL): Promise<string> {
  return readFile(file, 'utf8')
}

function once(make: Content): Content {
  let made: ReturnType<Content> | undefined
  return () => (made ??= make())
}
