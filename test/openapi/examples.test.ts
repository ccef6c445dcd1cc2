import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { parse } from 'yaml'
import { freshened, operationFinder, type Exchange } from '../../examples/recorded/exchanges.js'
import { recording } from '../../examples/recorded/recorder.js'
import { walk } from '../../examples/recorded/tour.js'
import { startServer, type TestServer } from '../support/server.js'

interface Media {
  example?: unknown
  'x-fresh'?: string[]
}
interface Operation {
  operationId: string
  parameters: { name: string; required: boolean; in: string; example?: string | number; 'x-fresh'?: boolean }[]
  requestBody?: { content: Record<string, Media> }
  responses: Record<string, { content?: Record<string, Media> }>
}
const { paths } = parse(readFileSync(new URL('../../openapi.yaml', import.meta.url), 'utf8')) as {
  paths: Record<string, Record<string, Operation>>
}
const operations = new Map(Object.values(paths).flatMap((methods) => Object.values(methods).map((one) => [one.operationId, one] as const)))

/** Bodies of other standards, which are no text, and what a server that does not federate cannot show. */
const WITHOUT = ['getMimiDirectory', 'getRelayKeys', 'getSealedGroupInfo', 'issueTokens', 'postSealedMessage', 'relaySealedMessage']

describe('the examples of openapi.yaml', () => {
  let server: TestServer
  let exchanges: Map<string, Exchange>
  const sent = new Set<string>()

  /** The example itself goes to the server, with the values that `x-fresh` names put in, and nothing else. */
  const example = (id: string, actual: unknown): unknown => {
    const media = operations.get(id)?.requestBody?.content['application/json']
    if (!media) return actual
    sent.add(id)
    return freshened(media.example, actual, new Set(media['x-fresh']))
  }
  beforeAll(async () => {
    server = await startServer()
    exchanges = await recording(paths, () => walk(server.url, 'localhost'), example)
  }, 180_000)
  afterAll(() => server?.close())

  it('are there for every operation, except those whose reason is known', () => {
    const without = [...operations.values()].filter((operation) => !hasExamples(operation)).map(({ operationId }) => operationId)
    expect(without.sort()).toEqual(WITHOUT)
  })

  it('are sent, each of them', () => {
    const bodies = [...operations.values()].filter(({ requestBody }) => requestBody?.content['application/json'])
    expect([...sent].sort()).toEqual(
      bodies
        .map(({ operationId }) => operationId)
        .filter((id) => !WITHOUT.includes(id))
        .sort(),
    )
  })

  it.each([...operations.keys()].filter((id) => !WITHOUT.includes(id)))('work on a server without users: %s', (id) => {
    const exchange = exchanges.get(id)
    const operation = operations.get(id)
    expect(Object.keys(operation?.responses ?? {})).toContain(String(exchange?.status))
    const values: Record<string, unknown> = { ...exchange?.path, ...exchange?.query }
    for (const { name, example: shown, 'x-fresh': fresh } of operation?.parameters ?? [])
      if (shown !== undefined && !fresh) expect(String(shown)).toBe(values[name])
  })

  it('say of a request what has to be put in: what is encrypted, signed, or of this server', () => {
    const fresh = operations.get('registerAccount')?.requestBody?.content['application/json']?.['x-fresh']
    expect(fresh).toEqual(['/nonce', '/signature_keys/0/public_key', '/signature_keys/0/proof'])
    const pointers = [...operations.values()].flatMap(({ requestBody }) => requestBody?.content['application/json']?.['x-fresh'] ?? [])
    const names = new Set(pointers.map((pointer) => pointer.split('/').findLast((part) => !/^\d*$/.test(part))))
    const allowed = [
      'nonce',
      'public_key',
      'proof',
      'refresh_token',
      'group_info',
      'ratchet_tree',
      'commit',
      'welcomes',
      'message',
      'proposal',
    ]
    expect([...names].filter((name) => ![...allowed, 'key_packages', 'last_resort'].includes(name ?? ''))).toEqual([])
  })

  it('tell a fixed path from a parameter', () => {
    const find = operationFinder(paths)
    expect(find('POST', '/v1/key-packages/claims')?.id).toBe('claimKeyPackages')
    expect(find('DELETE', '/v1/key-packages/AAAA')).toEqual({ id: 'deleteKeyPackage', path: { ref: 'AAAA' } })
    expect(find('GET', '/v1/nothing')).toBeUndefined()
  })
})

/** Where JSON goes in or comes out, there is an example of it; and of each part of the path. */
function hasExamples({ parameters, requestBody, responses }: Operation): boolean {
  const success = Object.entries(responses).find(([status]) => status.startsWith('2'))?.[1]
  const media = [requestBody?.content, success?.content].flatMap((content) => (content ? [Object.entries(content)] : []))
  const shown = media.every((types) => types.some(([type, { example }]) => /json|issuer-directory/.test(type) && example !== undefined))
  return shown && parameters.every(({ in: where, example }) => where !== 'path' || example !== undefined)
}
