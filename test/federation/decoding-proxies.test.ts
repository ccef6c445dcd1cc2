import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import type { Client } from '../../examples/client/client.js'
import type { Group } from '../../examples/client/group.js'
import { utf8 } from '../../examples/client/wire.js'
import { ENDPOINTS, type Endpoint } from '../../src/federation/identity/endpoints.js'
import { signRequest } from '../../src/protocol/http-signature/signed-request.js'
import { callPeer } from '../support/peer-call.js'
import { startFederation, type Federation, type Provider } from '../support/federation.js'
import { signerOf } from '../support/peer-requests.js'
import { decodingProxy, type DecodingProxy } from '../support/network/decoding-proxy.js'
import { bareToken, World } from '../support/world.js'

let federation: Federation
let hub: Provider
let follower: Provider
let proxy: DecodingProxy
let alice: Client
let token: string
let bob: Client
let group: Group
let world: World
const ROOM = 'mimi://a.example/r/lobby'

beforeAll(async () => {
  federation = await startFederation(2)
  ;[hub, follower] = federation.providers as [Provider, Provider]
  world = new World(hub.url, hub.domain)
  ;[alice, bob] = await world.cast('alice', 'bob')
  // A proof of possession names the path as the client sent it.
  token = await bareToken(alice)
  group = await alice.createGroup({ groupId: utf8('lobby-1'), mode: 'public', suite: 1, room: 'lobby' })
  await group.add(bob.user)
})
beforeEach(async () => {
  proxy = await decodingProxy(hub.url)
  hub.proxy.target = proxy.url
})
afterEach(() => proxy.close())
afterAll(async () => {
  await world?.disconnect()
  await federation?.close()
})

/** Sends a request through the proxy, as alice. */
async function ask(method: string, path: string, body?: object): Promise<number> {
  const headers = { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) }
  const response = await fetch(proxy.url + path, { method, headers, ...(body && { body: JSON.stringify(body) }) })
  await response.text()
  return response.status
}

describe('through a proxy that decodes paths', () => {
  it('other providers reach every endpoint by the addresses of the directory', async () => {
    const endpoints = Object.keys(ENDPOINTS) as Endpoint[]
    for (const endpoint of endpoints) {
      const argument = { roomId: ROOM, user: alice.user, targetUser: alice.user }[ENDPOINTS[endpoint] as string] ?? hub.domain
      // Signed by the hub: the request got through, and its signature was that of the address.
      const { status } = await callPeer(follower, hub, { endpoint, argument, body: new Uint8Array([1]) })
      expect([endpoint, status]).not.toEqual([endpoint, 401])
    }
    const { status } = await callPeer(follower, hub, { endpoint: 'tokenDirectory', argument: hub.domain, body: new Uint8Array() })
    expect(status).toBe(200)
  })

  it.each([
    ['GET', '/v1/rooms', 200],
    ['PUT', 'admins', 204],
    ['DELETE', 'admins', 204],
    ['PUT', 'bans', 204],
    ['DELETE', 'bans', 204],
    ['PUT', '/v1/consents', 200],
    ['DELETE', '/v1/consents', 204],
  ])('%s %s works with the name in the query, and not with it in the path', async (method, route, expected) => {
    const path = route.startsWith('/') ? route : `${group.path}/${route}`
    const [name, value] = route === '/v1/rooms' ? ['room', ROOM] : ['user', bob.user]
    const body = method === 'PUT' && route === '/v1/consents' ? { state: 'granted' } : undefined
    expect(await ask(method, `${path}/${encodeURIComponent(value)}`, body)).toBe(404)
    expect(await ask(method, `${path}?${name}=${encodeURIComponent(value)}`, body)).toBe(expected)
  })
})

describe('the address of an endpoint', () => {
  /** A request of the follower to this address of the hub, signed for it. */
  async function signed(path: string): Promise<number> {
    hub.proxy.target = hub.url
    const created = Math.floor(Date.now() / 1000)
    const times = { created, expires: created + 60, nonce: randomBytes(16).toString('base64url') }
    const content = { body: new Uint8Array(), contentType: 'application/mimi' }
    const unsigned = { method: 'POST', targetUri: hub.proxy.url + path, target: hub.domain, content }
    const headers = signRequest(unsigned, await signerOf(follower), times)
    return (await fetch(hub.proxy.url + path, { method: 'POST', headers, body: content.body })).status
  }
  it.each([
    ['in the query, as the directory says', '?domain=DOMAIN', 200],
    ['in the path, for providers that do not go by the directory', '/DOMAIN', 200],
    ['nowhere', '', 404],
    ['empty', '?domain=', 404],
    ['twice', '?domain=DOMAIN&domain=DOMAIN', 404],
    ['not a domain', '?domain=alice', 404],
  ])('may have its variable %s (%s): %i', async (_where, rest, status) => {
    expect(await signed(`/mimi/v1/tokenDirectory${rest.replaceAll('DOMAIN', hub.domain)}`)).toBe(status)
  })
})

describe('a query that does not name one room', () => {
  it.each(['', '?room=', '?room=lobby&room=lobby', '?room=lobby&more=1'])('is refused: %s', async (query) => {
    expect(await ask('GET', `/v1/rooms${query}`)).toBe(400)
  })
})
