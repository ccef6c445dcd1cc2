import { describe, expect, it } from '@jest/globals'
import { encode } from 'cborg'
import fastify from 'fastify'
import { watchAnswers } from '../support/documented-answers.js'

interface Answer {
  status?: number
  type?: string
  headers?: Record<string, string>
  body?: unknown
}

/** What is found when GET /v1/devices, or another route, answers so. */
async function faultsOf(
  { status = 200, type = 'application/json', headers = {}, body }: Answer,
  route = '/v1/devices',
): Promise<readonly string[]> {
  const app = fastify()
  const faults = watchAnswers(app)
  const bytes = type.includes('cbor') ? Buffer.from(encode(body)) : JSON.stringify(body)
  app.get(route, (_request, reply) =>
    reply
      .code(status)
      .headers({ 'content-type': type, ...headers })
      .send(bytes),
  )
  await app.inject({ method: 'GET', url: route.replace(':groupId', 'AAAA') })
  await app.close()
  return faults
}

const DEVICES = { devices: [{ client: 'mimi://localhost/d/alice/phone', since: 1, current: true, signature_keys: [] }] }
const problem = (name: string, status: number, members: object = {}) => ({
  status,
  type: 'application/problem+json',
  body: { type: `urn:microchat:problem:${name}`, title: 'x', status, ...members },
})

describe('the answers of a server under test', () => {
  it('are taken as documented, in JSON and in CBOR', async () => {
    expect(await faultsOf({ body: DEVICES })).toEqual([])
    expect(await faultsOf({ body: DEVICES, type: 'application/cbor' })).toEqual([])
    expect(await faultsOf({ ...problem('token-expired', 401), headers: { 'www-authenticate': 'Bearer' } })).toEqual([])
    expect(await faultsOf({ status: 418, body: {} }, '/v1/not/documented')).toEqual([])
  })

  it.each<[string, Answer, string?]>([
    ['a status', { status: 418, body: {} }],
    ['a content type', { body: DEVICES, type: 'text/plain' }],
    ['a member', { body: { ...DEVICES, secret: 1 } }],
    ['a member inside of another, in CBOR', { body: { devices: [{ ...DEVICES.devices[0], secret: 1 }] }, type: 'application/cbor' }],
    ['a value', { body: { devices: [{ ...DEVICES.devices[0], since: 'yesterday' }] } }],
    ['a type of problem', problem('last-key', 409)],
    ['a type of problem that no catalogue has', problem('brand-new', 409), '/v1/groups/:groupId/policy'],
    ['a type of problem that no catalogue has, on a route that is not documented', problem('brand-new', 409), '/v1/not/documented'],
    ['a problem without its header', problem('token-expired', 401)],
    ['a member of a problem', { ...problem('rate-limited', 429, { secret: 1 }), headers: { 'retry-after': '1' } }],
  ])('are found with %s that openapi.yaml does not describe', async (_what, answer, route = '/v1/devices') => {
    expect(await faultsOf(answer, route)).toHaveLength(1)
  })
})
