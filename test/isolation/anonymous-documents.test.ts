import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { Pool } from 'pg'
import { startServer, type TestServer } from '../support/server.js'

const TIMES = 200

let server: TestServer
let queries: string[] = []
beforeAll(async () => {
  server = await startServer({ FEDERATION: 'open' })
  watch(server.pool)
})
afterAll(() => server.close())

/** Notes every statement outside of transactions that asks for keys or homes: what a document may ask for. */
function watch(pool: Pool): void {
  const original = pool.query.bind(pool) as (...args: unknown[]) => unknown
  const watched = (...args: unknown[]) => {
    const text = typeof args[0] === 'string' ? args[0] : (args[0] as { text: string }).text
    if (/^\s*(SELECT|WITH)[^]*FROM (token_signing_key|issuer_key|provider_key|followed_group)/.test(text)) queries.push(text)
    return original(...args)
  }
  Object.assign(pool, { query: watched })
}

const DOCUMENTS: [path: string, status: number, type: string][] = [
  ['/.well-known/jwks.json', 200, 'application/json; charset=utf-8'],
  ['/.well-known/private-token-issuer-directory', 200, 'application/private-token-issuer-directory'],
  ['/.well-known/mimi-protocol-directory', 200, 'application/json; charset=utf-8'],
  ['/openapi.json', 200, 'application/json; charset=utf-8'],
  ['/', 200, 'text/html; charset=utf-8'],
  ['/openapi.yaml', 200, 'application/yaml; charset=utf-8'],
  ['/asyncapi.yaml', 200, 'application/yaml; charset=utf-8'],
  ['/docs', 200, 'text/html; charset=utf-8'],
  ['/docs/assets/start.js', 200, 'text/javascript; charset=utf-8'],
  ['/docs/assets/swagger-ui.css', 200, 'text/css; charset=utf-8'],
  ['/docs/assets/swagger-ui-bundle.js', 200, 'text/javascript; charset=utf-8'],
  ['/v1/sealed-relay/nowhere.example/keys', 404, 'application/problem+json; charset=utf-8'],
]

const KEYS = DOCUMENTS.slice(0, 3).map(([path]) => path)

describe('a document for anyone', () => {
  /** Keys are read again after one second at the soonest, invented hubs after a quarter: 25 are for a machine that takes six seconds. */
  it.each(DOCUMENTS)(`%s costs a few queries for ${TIMES} requests, and none for most of them`, async (path, status, type) => {
    queries = []
    const times = path.endsWith('bundle.js') ? 5 : TIMES // it has 1.5 MB
    const answers: Response[] = []
    // No more at once than one address may ask.
    while (answers.length < times)
      answers.push(...(await Promise.all(Array.from({ length: Math.min(50, times) }, () => fetch(`${server.url}${path}`)))))
    expect(new Set(answers.map((answer) => `${answer.status} ${answer.headers.get('content-type')}`))).toEqual(
      new Set([`${status} ${type}`]),
    )
    const bodies = await Promise.all(answers.map(async (answer) => (await answer.text()).replace(/urn:request:[\w-]+/, '')))
    expect(new Set(bodies).size).toBe(1)
    expect(queries.length).toBeLessThan(25)
  })

  it.each(DOCUMENTS.filter(([, status]) => status === 200))('%s is not sent again to a client that has it', async (path) => {
    const first = await fetch(`${server.url}${path}`)
    const etag = first.headers.get('etag') ?? ''
    expect(etag).toMatch(/^"[\w-]{22}"$/)
    const again = await fetch(`${server.url}${path}`, { headers: { 'if-none-match': etag } })
    expect([again.status, await again.text(), again.headers.get('etag')]).toEqual([304, '', etag])
    expect(again.headers.get('cache-control')).toBe(first.headers.get('cache-control'))
    expect(first.headers.get('cache-control')).toMatch(/^public, max-age=\d+$/)
  })

  it.each(KEYS)(
    '%s is asked of the database once by those who come first at the same time, also where its first key has to be made',
    async (path) => {
      const fresh = await startServer({ FEDERATION: 'open' })
      try {
        watch(fresh.pool)
        queries = []
        await Promise.all(Array.from({ length: 20 }, () => fetch(`${fresh.url}${path}`)))
        // Before and after the key was made; and a job that makes keys beforehand looks as well.
        expect(queries.length).toBeLessThanOrEqual(6)
      } finally {
        await fresh.close()
      }
    },
  )
})
