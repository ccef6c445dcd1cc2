import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { bodyLimitOf } from '../../src/platform/http/route-options.js'
import { routesOf, type Route } from '../isolation/route-table.js'
import { GENEROUS } from '../support/generous.js'
import { sendRaw } from '../support/raw-http.js'
import { startServer, type TestServer } from '../support/server.js'

/** What each route without a session takes at most. A route that is in no list fails: decide what its body may have. */
const LARGEST: Readonly<Record<string, number>> = {
  'POST /v1/auth/challenges': 4_096,
  'POST /v1/auth/sessions/refresh': 4_096,
  'POST /v1/device-lists/recovery': 4_096,
  'POST /v1/auth/sessions': 65_536,
  'POST /v1/accounts': 65_536,
  // A message and its envelope; a token is asked for before anything of them is decoded.
  'POST /v1/sealed/:groupId/:epoch/messages': 400_000,
  'POST /v1/sealed-relay/:hub': 400_000,
}

let server: TestServer
let routes: Route[]
beforeAll(async () => {
  server = await startServer({ ...GENEROUS, FEDERATION: 'open' })
  routes = routesOf(server.app).filter(({ method, options }) => options.anonymous && !options.mimi && method !== 'GET')
})
afterAll(() => server.close())

const typeOf = ({ options }: Route) => options.bytes?.[0] ?? (options.messageOnly ? 'message/mls' : 'application/json')
const headOf = (route: Route, fields: string) =>
  `${route.method} ${route.path.replaceAll(/:(groupId|hub)/g, 'AQID').replace(':epoch', '1')} HTTP/1.1\r\nHost: a\r\nContent-Type: ${typeOf(route)}\r\nConnection: close\r\n${fields}\r\n\r\n`

it('every route that takes a body without a session is known, and bounds it', () => {
  const limits = routes.map(
    ({ method, path, options }) => [`${method} ${path}`, bodyLimitOf(options.body ?? 'small', server.config)] as const,
  )
  expect(limits.map(([name]) => name).sort()).toEqual(Object.keys(LARGEST).sort())
  for (const [name, limit] of limits) expect([name, limit <= (LARGEST[name] ?? 0)]).toEqual([name, true])
})

it('refuses by its length a body that is larger, while nothing of it has come', async () => {
  for (const route of routes) {
    const limit = bodyLimitOf(route.options.body ?? 'small', server.config)
    const answer = await sendRaw(server.url, headOf(route, `Content-Length: ${limit + 1}`), { halfClose: true })
    expect([route.path, answer.split('\r\n')[0]]).toEqual([route.path, 'HTTP/1.1 413 Payload Too Large'])
  }
})

it('refuses one of unknown length as soon as it is past the limit, and parses nothing of it', async () => {
  for (const route of routes) {
    const limit = bodyLimitOf(route.options.body ?? 'small', server.config)
    // Not JSON: a parser that saw it would answer 400.
    const chunk = Buffer.alloc(limit + 1, 0x7b)
    const body = Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n0\r\n\r\n')])
    const answer = await sendRaw(server.url, Buffer.concat([Buffer.from(headOf(route, 'Transfer-Encoding: chunked')), body]))
    expect([route.path, answer.split('\r\n')[0]]).toEqual([route.path, 'HTTP/1.1 413 Payload Too Large'])
  }
})
