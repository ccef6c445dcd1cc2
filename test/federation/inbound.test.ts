import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { ProviderKeys } from '../../src/federation/identity/provider-keys.js'
import { SLOT_SECONDS, Nonces } from '../../src/federation/inbound/nonces.js'
import { FirstResults } from '../../src/federation/inbound/first-results.js'
import { SignedClient } from '../../src/federation/outbound/signed-client.js'
import type { SigningKey } from '../../src/protocol/http-signature/profile.js'
import { signRequest } from '../../src/protocol/http-signature/signed-request.js'
import { encodeConsentEntry } from '../../src/protocol/mimi/consent.js'
import { encodeIdentifierRequest } from '../../src/protocol/mimi/identifier-query.js'
import { startFederation, type Federation, type Provider } from '../support/federation.js'
import { PeerEchoModule } from '../support/peer-echo.js'
import { startServer } from '../support/server.js'

let federation: Federation
let [a, b] = [] as unknown as [Provider, Provider]
beforeAll(async () => {
  federation = await startFederation(2, { FEDERATION_NEW_PEERS_PER_MINUTE: '20' }, PeerEchoModule)
  ;[a, b] = federation.providers as [Provider, Provider]
})
afterAll(() => federation.close())

const keyOf = (provider: Provider): Promise<SigningKey> => provider.app.get(ProviderKeys).signer()
const now = () => Math.floor(Date.now() / 1000)
const nonce = () => randomBytes(16).toString('base64url')
const BODY = Buffer.from('body')

interface Made {
  key?: Partial<SigningKey>
  times?: Partial<{ created: number; expires: number; nonce: string }>
  target?: string
  path?: string
  body?: Buffer
  /** Changes to the fields after signing. */
  fields?: Record<string, string | undefined>
  send?: { body?: Buffer; path?: string }
}

/** A request of a to b, as wrong as is wanted. */
async function ask(made: Made = {}): Promise<{ status: number; type: string; text: string; headers: Headers }> {
  const { path = '/mimi/v1/echo/room', body = BODY } = made
  const times = { created: now(), expires: now() + 60, nonce: nonce(), ...made.times }
  const request = {
    method: 'POST',
    targetUri: b.proxy.url + path,
    target: made.target ?? b.domain,
    content: { body, contentType: 'application/mimi' },
  }
  const headers: Record<string, string | undefined> = {
    ...signRequest(request, { ...(await keyOf(a)), ...made.key }, times),
    ...made.fields,
  }
  const present = Object.fromEntries(Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])))
  const response = await fetch(b.url + (made.send?.path ?? path), { method: 'POST', headers: present, body: made.send?.body ?? body })
  const text = await response.text()
  const type = text.startsWith('{') ? (JSON.parse(text) as { type: string }).type.split(':').at(-1) : ''
  return { status: response.status, type: type ?? '', text, headers: response.headers }
}

const edit = (from: RegExp, to: string) => async (): Promise<Made> => {
  const times = { created: now(), expires: now() + 60, nonce: nonce() }
  const request = {
    method: 'POST',
    targetUri: `${b.proxy.url}/mimi/v1/echo/room`,
    target: b.domain,
    content: { body: BODY, contentType: 'application/mimi' },
  }
  const signed = signRequest(request, await keyOf(a), times)
  return { times, fields: { ...signed, 'signature-input': (signed['signature-input'] ?? '').replace(from, to) } }
}

describe('a request of a peer', () => {
  it('is taken with its signature, and the answer is signed for it', async () => {
    expect(await ask()).toMatchObject({ status: 200, text: 'a.example body' })
    const body = encodeIdentifierRequest({ elements: [] })
    const answer = await a.app.get(SignedClient).send({ peer: 'b.example', endpoint: 'identifierQuery', argument: 'b.example', body })
    expect(answer).toMatchObject({ kind: 'answered', status: 200 })
  })

  it('may be answered without a body', async () => {
    const [requester, target] = ['mimi://a.example/u/x', 'mimi://b.example/u/y']
    const body = encodeConsentEntry({ operation: 'request', requester, target, roomId: undefined, keyPackages: [] })
    const answer = await a.app.get(SignedClient).send({ peer: 'b.example', endpoint: 'requestConsent', argument: 'b.example', body })
    expect(answer).toMatchObject({ kind: 'answered', status: 201 })
    expect(answer.kind === 'answered' && answer.body).toHaveLength(0)
  })

  it.each<[string, number, () => Made | Promise<Made>]>([
    ['signature-missing', 401, () => ({ fields: { signature: undefined, 'signature-input': undefined } })],
    ['signature-malformed', 401, () => ({ fields: { 'signature-input': '((' } })],
    ['component-not-covered', 401, edit(/"@query" /, '')],
    ['component-not-covered', 401, edit(/ "content-digest"/, '')],
    ['algorithm-unsupported', 401, edit(/"ed25519"/, '"hmac-sha256"')],
    ['key-id-malformed', 401, edit(/keyid="[^"]*"/, 'keyid="a.example"')],
    ['from-mismatch', 401, () => ({ fields: { from: 'mimi@c.example' } })],
    ['from-mismatch', 401, edit(/keyid="[^/]*/, 'keyid="c.example')],
    ['target-mismatch', 401, () => ({ target: 'c.example' })],
    ['signature-stale', 401, () => ({ times: { created: now() - 200, expires: now() - 100 } })],
    ['signature-stale', 401, () => ({ times: { created: now() + 100, expires: now() + 200 } })],
    ['signature-too-long-lived', 401, () => ({ times: { expires: now() + 301 } })],
    ['nonce-malformed', 401, () => ({ times: { nonce: 'short' } })],
    ['content-digest-mismatch', 401, () => ({ send: { body: Buffer.from('other') } })],
    ['content-digest-missing', 401, () => ({ fields: { 'content-digest': 'md5=:AAAA:' } })],
    ['key-unknown', 401, () => ({ key: { keyId: 'unknown' } })],
    ['signature-invalid', 401, () => ({ key: { privateKey: generateKeyPairSync('ed25519').privateKey } })],
    ['signature-invalid', 401, () => ({ send: { path: '/mimi/v1/echo/other' } })],
    ['signature-invalid', 401, () => ({ send: { path: '/mimi/v1/echo/room?x=1' } })],
    ['foreign-domain', 403, () => ({ path: `/mimi/v1/echo/${encodeURIComponent('mimi://c.example/r/x')}` })],
    ['peer-denied', 403, () => ({ key: { domain: 'b.example' } })],
    ['unsupported-media-type', 415, () => ({ fields: { 'content-type': 'text/plain' } })],
    ['unsupported-media-type', 415, () => ({ fields: { 'content-type': 'application/json' }, send: { body: Buffer.from('{}') } })],
  ])('[I12] is refused as %s (%i)', async (type, status, made) => {
    expect(await ask(await made())).toMatchObject({ status, type })
  })

  it('is refused when its nonce was used, by any node and whatever else has changed', async () => {
    const times = { nonce: nonce() }
    expect((await ask({ times })).status).toBe(200)
    expect(await ask({ times })).toMatchObject({ status: 401, type: 'nonce-replayed' })
    expect(await ask({ times, body: Buffer.from('other') })).toMatchObject({ status: 401, type: 'nonce-replayed' })
  })

  it('is taken once, of twenty at the same time with one nonce', async () => {
    const times = { created: now(), expires: now() + 60, nonce: nonce() }
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask({ times })))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
  })

  it('leaves no nonce behind when it is refused', async () => {
    const times = { nonce: nonce() }
    await ask({ times, key: { privateKey: generateKeyPairSync('ed25519').privateKey } })
    expect((await ask({ times })).status).toBe(200)
  })

  it('gets a signed refusal', async () => {
    const refused = await ask({ times: { nonce: 'short' } })
    expect(refused.headers.get('signature-input')).toContain('mimi-response')
  })

  it('does not reach a server that does not federate', async () => {
    const alone = await startServer()
    for (const path of ['/mimi/v1/reportAbuse/room', '/.well-known/mimi-protocol-directory'])
      expect((await fetch(alone.url + path, { method: path.includes('mimi/') ? 'POST' : 'GET' })).status).toBe(404)
    await alone.close()
  })
})

describe('nonces', () => {
  it('are kept for as long as their signature could pass, and then forgotten', async () => {
    const nonces = b.app.get(Nonces)
    const at = now()
    const expiries = [at - 300, at, at + 600]
    const takeAll = () => Promise.all(expiries.map((expires) => nonces.take('c.example', `nonce ${expires - at}`, expires)))
    expect(await takeAll()).toEqual([true, true, true])
    await nonces.forget(new Date(at * 1000))
    expect(await takeAll()).toEqual([false, false, false])
    for (let slot = 0; slot < 4; slot++) await nonces.forget(new Date((at + (2 + slot) * SLOT_SECONDS) * 1000))
    expect(await takeAll()).toEqual([true, true, true])
  })
})

describe('what must not be done twice', () => {
  it('is done once for an identical body, and answered in the same way', async () => {
    const results = b.app.get(FirstResults)
    let done = 0
    const work = async () => Buffer.of(++done)
    const once = (domain: string, body: Buffer) => results.once({ domain }, 'x', body, work)
    const first = await once('a.example', BODY)
    expect(Buffer.from(await once('a.example', BODY))).toEqual(Buffer.from(first))
    expect(done).toBe(1)
    await once('c.example', BODY)
    await once('a.example', Buffer.from('other'))
    expect(done).toBe(3)
  })

  it('is done once by many at the same time', async () => {
    const results = b.app.get(FirstResults)
    let done = 0
    const work = async () => Buffer.of(++done)
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => results.once({ domain: 'a.example' }, 'y', BODY, work)))
    expect(done).toBe(1)
    expect(outcomes.some(({ status }) => status === 'fulfilled')).toBe(true)
  })

  it('may be tried again when it failed', async () => {
    const results = b.app.get(FirstResults)
    await expect(results.once({ domain: 'a.example' }, 'z', BODY, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(Buffer.from(await results.once({ domain: 'a.example' }, 'z', BODY, async () => Buffer.of(1)))).toEqual(Buffer.of(1))
  })
})

describe('strangers', () => {
  it('cannot make this server knock at any number of doors, and do not keep out whom it knows', async () => {
    await ask()
    // Nobody is there; a caller that claims to be from there only causes a look-up.
    const claims = Array.from({ length: 60 }, (_, index) => ask({ key: { domain: `127.0.1.${index}:1` } }))
    const types = (await Promise.all(claims)).map(({ type }) => type)
    expect(types.filter((type) => type === 'key-unknown').length).toBeLessThanOrEqual(20)
    expect(new Set(types)).toEqual(new Set(['key-unknown', 'rate-limited']))
    expect(await ask()).toMatchObject({ status: 200 })
  })
})

describe('a caller without a key of the peer', () => {
  it('uses up nothing that the peer is allowed', async () => {
    const small = await startFederation(2, { FEDERATION_REQUESTS_PER_MINUTE: '8' }, PeerEchoModule)
    try {
      const [one, two] = small.providers as [Provider, Provider]
      const forged = { ...(await keyOf(one)), privateKey: generateKeyPairSync('ed25519').privateKey }
      const request = async (key: SigningKey) => {
        const unsigned = { method: 'POST', targetUri: `${two.proxy.url}/mimi/v1/echo/room`, target: two.domain }
        const content = { body: BODY, contentType: 'application/mimi' }
        const headers = signRequest({ ...unsigned, content }, key, { created: now(), expires: now() + 60, nonce: nonce() })
        return (await fetch(`${two.url}/mimi/v1/echo/room`, { method: 'POST', headers, body: BODY })).status
      }
      for (let time = 0; time < 20; time++) expect(await request(forged)).toBe(401)
      const own = await Promise.all(Array.from({ length: 12 }, async () => request(await keyOf(one))))
      expect([own.filter((status) => status === 200).length, own.filter((status) => status === 429).length]).toEqual([8, 4])
      // What is too much is not written down either.
      const { rows } = await two.pool.query<{ nonces: bigint }>('SELECT count(*) AS nonces FROM federation_nonce')
      expect(rows).toEqual([{ nonces: 8n }])
    } finally {
      await small.close()
    }
  })
  it.each([
    ['no dictionary', { signature: 'garbage((', 'signature-input': 'mimi=()' }],
    ['nothing', { signature: '', 'signature-input': '' }],
    ['another label', { signature: 'x=:AA==:', 'signature-input': 'x=("@method")' }],
  ])('is refused by a problem document, whatever stands for a signature: %s', async (_what, fields) => {
    const headers = { from: 'mimi@a.example', 'mimi-target': 'b.example', 'content-type': 'application/mimi', ...fields }
    const answer = await fetch(`${b.url}/mimi/v1/echo/room`, { method: 'POST', headers, body: BODY })
    expect([answer.status, answer.headers.get('content-type')]).toEqual([401, 'application/problem+json; charset=utf-8'])
  })
})
