import { describe, expect, it } from '@jest/globals'
import type { Client } from '../../examples/client/client.js'
import {
  decodeIdentifierResponse,
  encodeIdentifierRequest,
  type IdentifierRequest,
  type IdentifierResponse,
} from '../../src/protocol/mimi/identifier-query.js'
import { useFederation } from '../support/federated-world.js'
import type { Provider } from '../support/federation.js'
import { callPeer } from '../support/peer-call.js'
import { problemOf, type World } from '../support/world.js'

const find = async (client: Client, domain: string, handle: string) =>
  (await client.device.http.post<{ uris: string[] }>('/v1/identifier-queries', { domain, handle })).uris
const searchable = (client: Client, wish: boolean) => client.device.http.put('/v1/me/searchable', { searchable: wish })

async function query([a, b]: readonly Provider[], elements: IdentifierRequest['elements']): Promise<IdentifierResponse | number> {
  const body = encodeIdentifierRequest({ elements })
  const answer = await callPeer(a!, b!, { endpoint: 'identifierQuery', argument: 'b.example', body })
  if (answer.status !== 200) return answer.status
  const decoded = decodeIdentifierResponse(answer.body)
  if (decoded.kind === 'malformed') throw new Error(decoded.reason)
  return decoded.value
}

describe('an identifier query', () => {
  const federated = useFederation(2)
  const worlds = () => federated.worlds as [World, World]

  it('finds users here and elsewhere by their name, handle or URI', async () => {
    const [[alice, carol], [bob]] = await Promise.all([worlds()[0].cast('alice', 'carol'), worlds()[1].cast('bob')])
    const name = bob.user.split('/u/')[1]!
    for (const handle of [name, `${name}@b.example`, bob.user]) expect(await find(alice, 'b.example', handle)).toEqual([bob.user])
    expect(await find(alice, 'a.example', carol.user)).toEqual([carol.user])
    for (const handle of [name.slice(0, -1), `${name}@a.example`, name.toUpperCase(), carol.user])
      expect(await find(alice, 'b.example', handle)).toEqual([])
  })

  it('does not find who does not want to be found', async () => {
    const [[alice, carol], [bob]] = await Promise.all([worlds()[0].cast('alice', 'carol'), worlds()[1].cast('bob')])
    for (const one of [bob, carol]) {
      expect(await one.device.http.get('/v1/me/searchable')).toEqual({ searchable: true })
      for (let twice = 0; twice < 2; twice++) await searchable(one, false)
      expect(await one.device.http.get('/v1/me/searchable')).toEqual({ searchable: false })
    }
    expect(await find(alice, 'b.example', bob.user)).toEqual([])
    expect(await find(alice, 'a.example', carol.user)).toEqual([])
    await searchable(bob, true)
    expect(await find(alice, 'b.example', bob.user)).toEqual([bob.user])
  })

  it('has to match in all its elements, which are names and handles', async () => {
    const [bob, dave] = await worlds()[1].cast('bob', 'dave')
    const element = (type: 'handle' | 'nick' | 'email', value: string) => ({ type, field: undefined, value })
    const name = bob.user.split('/u/')[1]!
    const both = [element('nick', name), element('handle', bob.user)]
    expect(await query(federated.providers, both)).toEqual({ code: 'success', uris: [bob.user] })
    expect(await query(federated.providers, [...both, element('handle', dave.user)])).toEqual({ code: 'not-found', uris: [] })
    expect(await query(federated.providers, [...both, element('email', `${name}@b.example`)])).toEqual({
      code: 'unsupported-field',
      uris: [],
    })
  })

  it('is about users of the provider that is asked', async () => {
    const [a, b] = federated.providers as [Provider, Provider]
    const body = encodeIdentifierRequest({ elements: [] })
    expect((await callPeer(a, b, { endpoint: 'identifierQuery', argument: 'c.example', body })).status).toBe(404)
    const [alice] = await worlds()[0].cast('alice')
    expect((await problemOf(find(alice, 'no domain', 'x'))).status).toBe(400)
  })
})

describe('identifier queries', () => {
  const off = useFederation(2, { IDENTIFIER_QUERY: 'off' })
  const few = useFederation(2, { IDENTIFIER_QUERIES_PER_MINUTE: '3' })

  it('are refused here and elsewhere where the operator wants none', async () => {
    const [alice, carol] = await off.worlds[0]!.cast('alice', 'carol')
    for (const domain of ['a.example', 'b.example']) {
      const problem = await problemOf(find(alice, domain, carol.user))
      expect([problem.status, problem.kind, problem.document['code']]).toEqual([403, 'identifier-query-refused', 'forbidden'])
    }
  })

  it('of one peer are limited', async () => {
    const answers = await Promise.all(Array.from({ length: 5 }, () => query(few.providers, [])))
    expect(answers.filter((answer) => answer === 429)).toHaveLength(2)
  })
})
