import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { Client } from '../../examples/client/client.js'
import { startServer, type TestServer } from '../support/server.js'
import { problemOf, World } from '../support/world.js'

describe('on a server that does not federate', () => {
  let server: TestServer
  let alice: Client
  let world: World
  beforeAll(async () => {
    server = await startServer({ FEDERATION: 'off' })
    world = new World(server.url)
    const [one] = await world.cast('alice')
    alice = one
  })
  afterAll(async () => {
    await world?.disconnect()
    await server?.close()
  })

  it.each<[string, (client: Client) => Promise<unknown>, number, string]>([
    [
      'a query for a user',
      ({ device }) => device.http.post('/v1/identifier-queries', { domain: 'b.example', handle: 'bob' }),
      403,
      'provider-denied',
    ],
    [
      'a request for consent',
      ({ device }) => device.http.post('/v1/consents', { target: 'mimi://b.example/u/bob' }),
      403,
      'provider-denied',
    ],
    ['a room', ({ device }) => device.http.get(`/v1/rooms/${encodeURIComponent('mimi://b.example/r/lobby')}`), 404, 'not-found'],
    ['the keys of an issuer', ({ device }) => device.http.get('/v1/tokens/issuer?issuer=b.example'), 404, 'not-found'],
  ])('%s of another provider is refused as what it is, and not as a fault of the other side', async (_what, ask, status, kind) => {
    const problem = await problemOf(ask(alice))
    expect([problem.status, problem.kind]).toEqual([status, kind])
  })
})
