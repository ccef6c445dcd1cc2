import { Agent, request, type IncomingMessage } from 'node:http'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { z } from 'zod'
import { ENDPOINTS, type Endpoint } from '../../src/federation/identity/endpoints.js'
import { TestDevice } from '../authentication/device-fixture.js'
import { startFederation, type Federation, type Provider } from '../support/federation.js'
import { GENEROUS } from '../support/generous.js'
import { callPeer } from '../support/peer-call.js'
import { startServer, type TestServer } from '../support/server.js'
import { routesOf, type Route } from './route-table.js'

/** Percent-encoded, as sent. */
const HOSTILE = {
  'a zero byte': '%00',
  'a zero byte within': 'a%00b',
  'a slash': '%2F',
  'an octet that is not UTF-8': '%ff',
  'a lone surrogate': '%ED%A0%80',
  'half an escape': '%',
  'a dot segment': '..',
  'an escaped dot segment': '%2e%2e',
  '//[': '%2F%2F%5B',
  'a brace': '%7Bx%7D',
  '2,000 characters': 'a'.repeat(2_000),
  // Below maxParamLength (1,024), so it reaches the schema.
  '1,000 characters': 'a'.repeat(1_000),
  'an emoji': '%F0%9F%98%80',
  'a property of every object': 'constructor',
  'the prototype accessor': '__proto__',
  'a CRLF': 'a%0D%0Ab',
  'a quote': "a'%20OR%20'1'='1",
  'a number beyond 64 bits': '99999999999999999999999999',
  'a negative number': '-1',
}

let server: TestServer
let token: string
let routes: Route[]
const agent = new Agent({ keepAlive: true, maxSockets: 8 })
beforeAll(async () => {
  server = await startServer({ ...GENEROUS, FEDERATION: 'open' })
  token = (await TestDevice.registered(server.url)).accessToken ?? ''
  routes = routesOf(server.app)
})
afterAll(async () => {
  agent.destroy()
  await server.close()
})

/** Sends the path unchanged; `fetch` would normalize it. */
async function statusOf(method: string, path: string, authorization?: string): Promise<number> {
  const { hostname, port } = new URL(server.url)
  const headers = authorization === undefined ? {} : { authorization }
  const [answer] = (await once(request({ agent, hostname, port, method, path, headers }).end(), 'response')) as [IncomingMessage]
  answer.resume()
  await once(answer, 'end')
  return answer.statusCode ?? 0
}

/** For each parameter, the path with it hostile and the others harmless. */
function pathsWith(hostile: string): [Route, string][] {
  return routes.flatMap((route) =>
    route.names.map((name): [Route, string] => [
      route,
      route.path.replaceAll(/:(\w+)/g, (_, each: string) => (each === name ? hostile : '1')),
    ]),
  )
}

describe('the parameters of every path', () => {
  it('include those of client routes and of peer routes', () => {
    const paths = routes.map(({ method, path }) => `${method} ${path}`)
    expect(paths).toEqual(
      expect.arrayContaining(['GET /v1/sealed-relay/:hub/keys', 'POST /mimi/v1/directory/:user', 'DELETE /v1/groups/:groupId']),
    )
    expect(routes.filter(({ names }) => names.length > 0).length).toBeGreaterThan(40)
  })

  it('each have a schema', () => {
    const without = routes.flatMap(({ method, path, names, schemas }) =>
      names.filter((name) => !(schemas.get(name) instanceof z.ZodType)).map((name) => `${method} ${path} ${name}`),
    )
    expect(without).toEqual([])
  })

  it('have bounds, and take neither 2,000 characters nor a zero byte', () => {
    const schemas = routes.flatMap(({ method, path, schemas: found }) =>
      [...found].flatMap(([name, schema]) => (schema ? [[`${method} ${path} ${name}`, schema] as const] : [])),
    )
    const unbounded = schemas.filter(([, schema]) => {
      const { maxLength, maximum } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })
      return !(maxLength !== undefined && maxLength <= 1_024) && maximum === undefined
    })
    expect(unbounded.map(([name]) => name)).toEqual([])
    const lax = schemas.filter(([, schema]) => ['a'.repeat(2_000), '\0', 'a\0b'].some((text) => schema.safeParse(text).success))
    expect(lax.map(([name]) => name)).toEqual([])
  })

  it.each(Object.entries(HOSTILE))('never end in a 5xx: %s', async (_name, hostile) => {
    const asked = pathsWith(hostile).flatMap(([{ method }, path]) =>
      [undefined, `Bearer ${token}`].map((authorization) => [method, path, authorization] as const),
    )
    const answers = await Promise.all(asked.map(async (args) => [args[0], args[1].slice(0, 100), await statusOf(...args)] as const))
    expect(answers.filter(([, , status]) => status < 200 || status >= 500)).toEqual([])
  })
})

describe('path parameters of signed peer requests', () => {
  let federation: Federation
  beforeAll(async () => {
    federation = await startFederation(2)
  })
  afterAll(() => federation.close())

  it.each([
    ...Object.entries({ 'a zero byte': '\0', 'a slash': '/', 'an emoji': '\u{1F600}', 'a property of every object': 'constructor' }),
  ])('never end in a 5xx: %s', async (_name, argument) => {
    const [target, caller] = federation.providers as [Provider, Provider]
    const endpoints = Object.keys(ENDPOINTS) as Endpoint[]
    const answers = await Promise.all(
      endpoints.map(
        async (endpoint) => [endpoint, (await callPeer(caller, target, { endpoint, argument, body: new Uint8Array([1]) })).status] as const,
      ),
    )
    expect(answers.filter(([, status]) => status < 400 || status >= 500)).toEqual([])
  })
})
