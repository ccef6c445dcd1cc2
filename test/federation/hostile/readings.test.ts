import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { SignedClient } from '../../../src/federation/outbound/signed-client.js'
import { GENEROUS } from '../../support/generous.js'
import { startServer, type TestServer } from '../../support/server.js'
import { HostileProvider, type Victim } from './peer/hostile-provider.js'

// Where two readers of one message may read different things.

const DOMAIN = 'a.example'
const ALICE = `mimi://${DOMAIN}/u/alice`
const NOTHING = Buffer.alloc(0)

const peers: Record<'c.example' | 'd.example' | 'e.example' | 'f.example', HostileProvider> = {
  'c.example': new HostileProvider('c.example'),
  'd.example': new HostileProvider('d.example'),
  'e.example': new HostileProvider('e.example'),
  'f.example': new HostileProvider('f.example'),
}
let server: TestServer
let a: Victim
beforeAll(async () => {
  await Promise.all(Object.values(peers).map((peer) => peer.listen()))
  peers['d.example'].template = (url, name) => `${url}/mimi/v1/${name}?u={the_user}`
  peers['e.example'].template = (url, name) => `${url}/mimi/v1/${name}?u={+user}`
  peers['f.example'].template = (_url, name) => `${peers['d.example'].url}/mimi/v1/${name}?u={user}`
  server = await startServer({
    ...GENEROUS,
    DOMAIN,
    PUBLIC_URL: `http://${DOMAIN}`,
    FEDERATION: 'open',
    FEDERATION_PEER_URLS: Object.values(peers)
      .map(({ domain, url }) => `${domain}=${url}`)
      .join(','),
    FEDERATION_ALLOWED_RANGES: '127.0.0.0/8',
  })
  a = { domain: DOMAIN, url: server.url, proxy: { url: `http://${DOMAIN}` } }
})
afterAll(async () => {
  await server.close()
  await Promise.all(Object.values(peers).map((peer) => peer.close()))
})

/** What a.example makes of the answer to a request. */
const asked = (peer: keyof typeof peers) =>
  server.app.get(SignedClient).send({ peer, endpoint: 'directory', argument: `mimi://${peer}/u/carol`, body: NOTHING })

/** A request with fields of several lines, which `fetch` cannot send. @returns status and problem */
async function sendLines(fields: Record<string, string | string[]>): Promise<[number | undefined, string | undefined]> {
  const sent = request(`${a.url}/mimi/v1/directory/${encodeURIComponent(ALICE)}`, { method: 'POST', headers: fields }).end()
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return [response.statusCode, /urn:microchat:problem:([a-z-]+)/.exec(Buffer.concat(chunks).toString())?.[1]]
}

describe('a request', () => {
  it('has no body where one was signed: it is refused', async () => {
    const told = await peers['c.example'].ask(a, 'directory', ALICE, Buffer.from('signed'), { sent: NOTHING })
    expect(told.problem).toBe('content-digest-mismatch')
  })

  it.each([
    ['from', 'mimi@d.example', 'from-mismatch'],
    ['content-type', 'text/plain', 'signature-invalid'],
    ['mimi-target', 'b.example', 'target-mismatch'],
    ['content-digest', 'sha-512=:AAAA:', 'content-digest-mismatch'],
  ])('has two lines of %s, of which one was signed: it is refused', async (name, line, problem) => {
    const signed = peers['c.example'].signed(a, `/mimi/v1/directory/${encodeURIComponent(ALICE)}`, NOTHING)
    expect(await sendLines(signed)).toEqual([404, 'not-found'])
    const again = peers['c.example'].signed(a, `/mimi/v1/directory/${encodeURIComponent(ALICE)}`, NOTHING)
    expect(await sendLines({ ...again, [name]: [again[name] ?? '', line] })).toEqual([401, problem])
  })
})

describe('a refusal', () => {
  it('is for who says to have asked, also where the signature could not be read', async () => {
    const told = await peers['c.example'].ask(a, 'directory', ALICE, NOTHING, {
      fields: (signed) => ({ ...signed, 'signature-input': '((' }),
    })
    expect([told.problem, told.headers.get('mimi-target')]).toEqual(['signature-malformed', 'c.example'])
  })

  it('is not signed for nobody', async () => {
    const fields = (signed: Record<string, string>) => ({ ...signed, from: 'somebody' })
    const told = await peers['c.example'].ask(a, 'directory', ALICE, NOTHING, { fields })
    expect([told.problem, told.headers.get('signature')]).toEqual(['from-mismatch', null])
  })
})

describe('an answer counts for nothing', () => {
  it.each([
    ['is for another provider', { status: 200, target: 'b.example' }],
    ['has no body where one was signed', { status: 200, body: Buffer.from('signed'), sent: NOTHING }],
    ['has two lines of From', { status: 200, headers: { From: ['mimi@c.example', 'mimi@d.example'] as never } }],
  ])('that %s', async (_what, answer) => {
    peers['c.example'].answering = () => ({ status: 200 })
    expect(await asked('c.example')).toMatchObject({ kind: 'answered', status: 200 })
    peers['c.example'].answering = () => answer
    expect((await asked('c.example')).kind).toBe('unsigned')
  })

  it('does not throw, with two lines of everything that is read', async () => {
    const twice = (value: string) => [value, value] as never
    peers['c.example'].answering = () => ({
      status: 429,
      headers: { 'Content-Type': twice('application/problem+json'), 'Retry-After': twice('5') },
    })
    expect((await asked('c.example')).kind).toBe('unsigned')
  })
})

describe('a template', () => {
  it('is expanded whatever its variable is called', async () => {
    const urls: string[] = []
    peers['d.example'].answering = (_endpoint, _body, url) => {
      urls.push(url)
      return { status: 200 }
    }
    expect(await asked('d.example')).toMatchObject({ kind: 'answered' })
    expect(urls).toEqual(['/mimi/v1/directory?u=mimi%3A%2F%2Fd.example%2Fu%2Fcarol'])
  })

  it('of another form is none, and nothing is sent', async () => {
    expect((await asked('e.example')).kind).toBe('no-endpoint')
    expect(peers['e.example'].seen).not.toContain('directory')
  })

  it('does not lead to where only another provider may be asked', async () => {
    const before = peers['d.example'].seen.length
    expect((await asked('f.example')).kind).toBe('refused-url')
    expect(peers['d.example'].seen).toHaveLength(before)
  })
})
