import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { decode, encode } from 'cborg'
import { parse } from 'yaml'
import { fromJson } from '../../examples/client/wire.js'
import { freshened, operationFinder, type BytesByType, type Exchange } from '../../examples/recorded/exchanges.js'
import { OTHER_TYPES } from '../../examples/recorded/other-types.js'
import { ageCertificates } from '../../examples/recorded/aged.js'
import { recording } from '../../examples/recorded/recorder.js'
import { relayed } from '../../examples/recorded/relay.js'
import { walk } from '../../examples/recorded/tour.js'
import { startFederation } from '../support/federation.js'
import { startServer, type TestServer } from '../support/server.js'

interface Media {
  example?: unknown
  'x-example'?: { base64url: string; diagnostic?: string }
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

/** Recorded on servers that federate. */
const FEDERATING = ['getMimiDirectory', 'getRelayKeys', 'relaySealedMessage']

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
    exchanges = await recording(paths, () => walk(server.url, 'localhost', (user) => ageCertificates(server.pool, user)), example)
  })
  afterAll(() => server?.close())

  it('are there for every operation', () => {
    const without = [...operations.values()].filter((operation) => !hasExamples(operation)).map(({ operationId }) => operationId)
    expect(without).toEqual([])
  })

  it('are sent, each of them', () => {
    const bodies = [...operations.values()].filter(({ requestBody }) => requestBody?.content['application/json'])
    expect([...sent].sort()).toEqual(bodies.map(({ operationId }) => operationId).sort())
  })

  it.each([...operations.keys()].filter((id) => !FEDERATING.includes(id)))('work on a server without users: %s', (id) => {
    const exchange = exchanges.get(id)
    const operation = operations.get(id)
    expect(Object.keys(operation?.responses ?? {})).toContain(String(exchange?.status))
    const values: Record<string, unknown> = { ...exchange?.path, ...exchange?.query }
    expect(Object.keys(exchange?.headers ?? {}).sort()).toEqual(
      headersOf(operation)
        .filter((name) => !['join-code', 'group-incarnation', 'dpop'].includes(name.toLowerCase()))
        .sort(),
    )
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
      'request',
      'entries',
      'head',
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

describe('the examples of openapi.yaml that are bytes', () => {
  let server: TestServer
  /** What was sent and answered in another type than JSON: by operation. */
  const sent = new Map<string, { type: string; bytes: Uint8Array; status: number }>()
  const answered = new Map<string, unknown>()

  /** Sends and asks for the type of which there is an example, whatever the client meant to send. */
  async function inOtherTypes(real: typeof fetch, ...[input, init]: Parameters<typeof fetch>): Promise<Response> {
    const url = new URL(input instanceof Request ? input.url : input)
    const id = operationFinder(paths)(init?.method ?? 'GET', url.pathname)?.id ?? ''
    const { messageField, cbor } = OTHER_TYPES[id] ?? {}
    const headers = new Headers(init?.headers)
    if (cbor === 'response') headers.set('accept', 'application/cbor')
    const body = fromJson(await new Response(init?.body ?? 'null').text().then((text) => (isJsonBody(headers) ? text : 'null')))
    const bytes = messageField === undefined ? encode(body) : ((body as Record<string, Uint8Array>)[messageField] ?? new Uint8Array())
    const other = messageField !== undefined || cbor === 'request'
    const type = messageField === undefined ? 'application/cbor' : 'message/mls'
    if (other) headers.set('content-type', type)
    const response = await real(input, { ...init, headers, ...(other && { body: new Uint8Array(bytes) }) })
    if (other && !sent.has(id)) sent.set(id, { type, bytes, status: response.status })
    if (cbor === 'response' && response.ok) answered.set(id, decode(new Uint8Array(await response.clone().arrayBuffer())))
    return response
  }

  beforeAll(async () => {
    server = await startServer()
    const real = globalThis.fetch
    globalThis.fetch = (...call) => inOtherTypes(real, ...call)
    try {
      await walk(server.url, 'localhost', (user) => ageCertificates(server.pool, user))
    } finally {
      globalThis.fetch = real
    }
  })
  afterAll(() => server?.close())

  it.each(Object.keys(OTHER_TYPES).filter((id) => OTHER_TYPES[id]?.cbor !== 'response'))('are of a form that is accepted: %s', (id) => {
    const { type = '', bytes, status } = sent.get(id) ?? {}
    const content = operations.get(id)?.requestBody?.content
    const shown = Buffer.from(content?.[type]?.['x-example']?.base64url ?? '', 'base64url')
    expect(status).toBe(200)
    if (type === 'message/mls') expect(formOfMessage(shown)).toEqual(formOfMessage(bytes!))
    else expect(formOf(decode(shown))).toEqual(formOf(decode(bytes!)))
    // The same body as the JSON example next to it.
    const json = fromJson(JSON.stringify(content?.['application/json']?.example)) as Record<string, unknown>
    const { messageField } = OTHER_TYPES[id]!
    expect(messageField === undefined ? decode(shown) : new Uint8Array(shown)).toEqual(
      messageField === undefined ? json : json[messageField],
    )
  })

  it.each(Object.keys(OTHER_TYPES).filter((id) => OTHER_TYPES[id]?.cbor === 'response'))('are of the form that is answered: %s', (id) => {
    const content = operations.get(id)?.responses['200']?.content
    const shown: unknown = decode(Buffer.from(content?.['application/cbor']?.['x-example']?.base64url ?? '', 'base64url'))
    expect(shown).toEqual(fromJson(JSON.stringify(content?.['application/json']?.example)))
    expect(Object.keys(answered.get(id) as object)).toEqual(Object.keys(shown as object))
  })

  it('say in diagnostic notation what the bytes are', () => {
    const shown = operations.get('submitCommit')?.requestBody?.content['application/cbor']?.['x-example']
    const { commit } = decode(Buffer.from(shown?.base64url ?? '', 'base64url')) as { commit: Uint8Array }
    expect(shown?.diagnostic).toMatch(new RegExp(`^\\{"commit": h'${Buffer.from(commit).toString('hex')}'`))
  })

  it('of a sealed post are one MLSMessage, and of a token a request and an answer of RFC 9578', () => {
    const bytesOf = (media: Record<string, Media> | undefined, type: string) =>
      Buffer.from(media?.[type]?.['x-example']?.base64url ?? '', 'base64url')
    const post = operations.get('postSealedMessage')?.requestBody?.content
    expect(formOfMessage(bytesOf(post, 'message/mls'))).toBe('00010002')
    const tokens = operations.get('issueTokens')
    // token_type 2, truncated_token_key_id, and a blinded message of 2048 bits (RFC 9578 §6.1).
    expect(bytesOf(tokens?.requestBody?.content, 'application/private-token-request')).toHaveLength(2 + 1 + 256)
    expect(bytesOf(tokens?.responses['200']?.content, 'application/private-token-response')).toHaveLength(256)
  })

  it('of the relay to a hub are what two providers exchange', async () => {
    const federation = await startFederation(2)
    try {
      const [hub, own] = federation.providers
      const exchanges = await recording(paths, () => relayed(own!, hub!))
      const sizes = (holder: Record<string, { 'x-example'?: { base64url: string } }> | undefined, type: string) =>
        Buffer.from(holder?.[type]?.['x-example']?.base64url ?? '', 'base64url').length
      const measured = (bytes: BytesByType | undefined, type: string) => Buffer.from(bytes?.[type]?.base64url ?? '', 'base64url').length
      const [keys, relay] = [exchanges.get('getRelayKeys'), exchanges.get('relaySealedMessage')]
      const KEYS = 'application/ohttp-keys'
      expect(measured(keys?.responseBytes, KEYS)).toBeGreaterThan(40)
      expect(sizes(operations.get('getRelayKeys')?.responses['200']?.content, KEYS)).toBe(measured(keys?.responseBytes, KEYS))
      const REQUEST = 'message/ohttp-req'
      expect(measured(relay?.requestBytes, REQUEST)).toBeGreaterThan(2_048)
      expect(sizes(operations.get('relaySealedMessage')?.requestBody?.content, REQUEST)).toBe(measured(relay?.requestBytes, REQUEST))
      expect(sizes(operations.get('relaySealedMessage')?.responses['200']?.content, 'message/ohttp-res')).toBeGreaterThan(32)
    } finally {
      await federation.close()
    }
  })

  it('of the directory for other providers are what a server with FEDERATION answers', async () => {
    const federating = await startServer({ FEDERATION: 'open' })
    try {
      const response = await fetch(`${federating.url}/.well-known/mimi-protocol-directory`)
      const shown = operations.get('getMimiDirectory')?.responses['200']?.content?.['application/json']?.example
      expect(formOf(await response.json())).toEqual(formOf(shown))
    } finally {
      await federating.close()
    }
  })
})

const isJsonBody = (headers: Headers) => headers.get('content-type') === 'application/json'

/** Version and wire format (RFC 9420 §6). */
const formOfMessage = (bytes: Uint8Array) => Buffer.from(bytes.subarray(0, 4)).toString('hex')

/** The names of members and the types of their values; of a list, of its first item. */
function formOf(value: unknown): unknown {
  if (value instanceof Uint8Array) return 'bytes'
  if (Array.isArray(value)) return value.slice(0, 1).map(formOf)
  if (typeof value !== 'object' || value === null) return typeof value
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, formOf(member)]))
}

/** Header fields that an operation documents, in lower case, and shows an example of. */
function headersOf(operation: Operation | undefined): string[] {
  return (operation?.parameters ?? []).filter(({ in: where }) => where === 'header').map(({ name }) => name)
}

/** Where a body goes in or comes out, there is an example of it in some type; and of each part of the path. */
function hasExamples({ parameters, requestBody, responses }: Operation): boolean {
  const success = Object.entries(responses).find(([status]) => status.startsWith('2'))?.[1]
  const media = [requestBody?.content, success?.content].flatMap((content) => (content ? [Object.entries(content)] : []))
  const shown = media.every((types) => types.some(([, media]) => media.example !== undefined || media['x-example'] !== undefined))
  return shown && parameters.every(({ in: where, example }) => where !== 'path' || example !== undefined)
}
