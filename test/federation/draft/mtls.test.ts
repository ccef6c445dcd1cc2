import { pino } from 'pino'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createHash, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { createServer, request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { DraftAuthentication } from '../../../src/federation/draft/draft-authentication.js'
import { DraftDirectories } from '../../../src/federation/draft/draft-directories.js'
import type { DraftListener } from '../../../src/federation/draft/draft-listener.js'
import { DraftPeers } from '../../../src/federation/draft/draft-peers.js'
import { differingOutside, readDirectory } from '../../../src/federation/identity/directory-document.js'
import type { Config } from '../../../src/platform/config/config.js'
import type { Problem } from '../../../src/platform/http/problem.js'
import { eventually } from '../../support/eventually.js'
import { freePort } from '../../support/free-port.js'
import { startServer, type TestServer } from '../../support/server.js'
import { TestAuthority, type TlsIdentity } from './peer/certificates.js'

const DAY = 86_400_000
const authority = new TestAuthority()
const other = new TestAuthority('Another authority')
const own = authority.issue('a.example')
const right = authority.issue('b.example')
const pinned = other.issue('c.example')

const pinOf = ({ cert }: TlsIdentity) =>
  createHash('sha256')
    .update(new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')

let folder = ''
let server: TestServer
let port = 0

const file = (name: string, content: string) => (writeFileSync(join(folder, name), content), join(folder, name))

/** b.example is known by its authority, c.example by its key, and d.example not at all. */
const settings = () => ({
  DOMAIN: 'a.example',
  FEDERATION: 'open',
  FEDERATION_ALLOWED_RANGES: '127.0.0.0/8',
  FEDERATION_TLS_CERT: file('own.pem', own.cert),
  FEDERATION_TLS_KEY: file('own-key.pem', own.key),
  FEDERATION_DRAFT_PEERS: `b.example=ca:${file('ca.pem', authority.cert)},c.example=sha256:${pinOf(pinned)}`,
})

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mtls-'))
  port = await freePort()
  server = await startServer({
    ...settings(),
    FEDERATION_UNVERIFIED_PER_MINUTE: '100000',
    FEDERATION_DRAFT_PORT: String(port),
    FEDERATION_DRAFT_URL: `https://127.0.0.1:${port}`,
  })
})
afterAll(async () => {
  await server.close()
  rmSync(folder, { recursive: true })
})

interface Asked {
  readonly identity?: TlsIdentity
  readonly from?: string | string[]
  readonly host?: string
  readonly path?: string
  readonly method?: string
}

/** `identifierQuery` for a handle that nobody has: 200 from a server that believes who asks. */
const QUERY = Buffer.from([...Buffer.of(9, 1, 7), ...Buffer.from('nobody!'), 0])

async function ask({ identity, from, host = 'a.example', path, method = 'POST' }: Asked): Promise<{ status: number; type: string }> {
  const asking = request({
    host: '127.0.0.1',
    port,
    path: path ?? '/mimi/v1/identifierQuery/a.example',
    method,
    servername: 'a.example',
    ca: authority.cert,
    headers: { host, ...(typeof from === 'string' && { from }), 'content-type': 'application/mimi' },
    agent: false,
    ...identity,
  })
  if (Array.isArray(from)) asking.setHeader('from', from)
  asking.end(QUERY)
  const [answer] = (await once(asking, 'response')) as [IncomingMessage]
  const chunks: Buffer[] = []
  for await (const chunk of answer) chunks.push(chunk as Buffer)
  const problem = /problem\+json/.test(answer.headers['content-type'] ?? '')
    ? (JSON.parse(Buffer.concat(chunks).toString()) as { type: string })
    : undefined
  return { status: answer.statusCode ?? 0, type: problem?.type.replace('urn:microchat:problem:', '') ?? '' }
}

const REFUSED = { status: 403, type: 'certificate-refused' }

/** The connection ended before there was an answer. */
const ended = (asked: Asked): Promise<boolean> =>
  ask(asked).then(
    () => false,
    () => true,
  )

describe('a request on the listener with mutual TLS', () => {
  it.each<[string, Asked]>([
    ['of the authority that is named for the provider', { identity: right, from: 'mimi@b.example' }],
    ['with the key that is named for the provider', { identity: pinned, from: 'mimi@c.example' }],
    ['with a port in Host, which does not count', { identity: right, from: 'mimi@b.example', host: 'a.example:8448' }],
    ['with one of several names', { identity: authority.issue('x', { names: ['x.example', 'b.example'] }), from: 'mimi@b.example' }],
  ])('is believed with a certificate %s', async (_what, asked) => {
    expect(await ask(asked)).toEqual({ status: 200, type: '' })
  })

  it.each<[string, Asked]>([
    ['no certificate', { from: 'mimi@b.example' }],
    [
      'one that has expired',
      { identity: authority.issue('b.example', { notAfter: new Date(Date.now() - 1_000) }), from: 'mimi@b.example' },
    ],
    [
      'one that is not valid yet',
      { identity: authority.issue('b.example', { notBefore: new Date(Date.now() + DAY) }), from: 'mimi@b.example' },
    ],
    ['that of another provider of the same authority', { identity: authority.issue('e.example'), from: 'mimi@b.example' }],
    ['one of another authority', { identity: other.issue('b.example'), from: 'mimi@b.example' }],
    ['another key of the name whose key is named', { identity: other.issue('c.example'), from: 'mimi@c.example' }],
    ['one that the authority of another provider has issued', { identity: authority.issue('c.example'), from: 'mimi@c.example' }],
    ['the name in the subject only', { identity: authority.issue('b.example', { names: ['x.example'] }), from: 'mimi@b.example' }],
    ['a wildcard', { identity: authority.issue('b.example', { names: ['*.example'] }), from: 'mimi@b.example' }],
    ['a name below', { identity: authority.issue('b.example', { names: ['x.b.example'] }), from: 'mimi@b.example' }],
    ['that of a provider which no setting names', { identity: authority.issue('d.example'), from: 'mimi@d.example' }],
  ])('does not come to be, as the connection ends with the handshake, with %s', async (_what, asked) => {
    expect(await ended(asked)).toBe(true)
    expect(await ended({ ...asked, method: 'GET', path: '/.well-known/mimi-protocol-directory' })).toBe(true)
  })

  it.each<[string, Asked]>([
    ['for another From', { identity: right, from: 'mimi@c.example' }],
    ['without From', { identity: right }],
    ['and two From', { identity: right, from: ['mimi@b.example', 'mimi@c.example'] }],
    ['and From of another form', { identity: right, from: 'bob@b.example' }],
  ])('is refused with the right certificate, %s', async (_what, asked) => {
    expect(await ask(asked)).toEqual(REFUSED)
  })

  it('is refused if it is for another provider', async () => {
    const asked = { identity: right, from: 'mimi@b.example', host: 'c.example' }
    expect(await ask(asked)).toEqual({ status: 401, type: 'target-mismatch' })
  })

  it.each(['log', 'operation', 'deleteRoom', 'room'])('finds no %s, which the draft does not have', async (name) => {
    const path = `/mimi/v1/${name}/${encodeURIComponent('mimi://a.example/r/room')}`
    expect((await ask({ identity: right, from: 'mimi@b.example', path })).status).toBe(404)
  })

  it.each([
    ['GET', '/v1/capabilities'],
    ['POST', '/v1/sessions'],
    ['GET', '/mimi/v1/identifierQuery/a.example'],
    ['GET', '/health'],
  ])('finds nothing of the rest of the server: %s %s', async (method, path) => {
    expect(await ask({ identity: right, from: 'mimi@b.example', method, path })).toEqual({ status: 404, type: '' })
  })

  it('is led there by the directory of all, whose signed part says so', async () => {
    const answer = await fetch(`${server.url}/.well-known/mimi-protocol-directory`)
    const read = readDirectory(Buffer.from(await answer.arrayBuffer()))
    if (read.kind !== 'read') throw new Error(read.why)
    expect(read.outside['update']).toBe(`https://127.0.0.1:${port}/mimi/v1/draftUpdate/{roomId}`)
    expect(read.directory.endpoints['update']).toBe(`${server.url}/mimi/v1/update?roomId={roomId}`)
    expect(read.directory.features).toContain('mimi-draft-06')
    expect(differingOutside(read)).toEqual([])
  })

  it('counts for nothing at the listener for all others', async () => {
    const headers = { from: 'mimi@b.example', 'content-type': 'application/mimi' }
    const answer = await fetch(`${server.url}/mimi/v1/identifierQuery/a.example`, { method: 'POST', headers, body: QUERY })
    expect(answer.status).toBe(401)
  })
})

describe('a signature in the name of a peer that the operator knows by its certificate', () => {
  it('is judged by what is known of the peer: its directory is fetched meanwhile, and nobody waits for it', async () => {
    let answer = (): void => undefined
    const asked = createServer({ ...right, requestCert: true, rejectUnauthorized: false }, (_request, response) => {
      answer = () => void response.end(JSON.stringify({ key_directory: {} }))
    })
    await once(asked.listen(0, '127.0.0.1'), 'listening')
    const url = `https://127.0.0.1:${(asked.address() as AddressInfo).port}`
    const config = { ...server.config, FEDERATION_PEER_URLS: new Map([['b.example', url]]) } as Config
    const peers = new DraftPeers(config)
    const directories = new DraftDirectories(config, peers, pino({ level: 'silent' }))
    const authentication = new DraftAuthentication(config, {} as DraftListener, peers, directories)
    const verdict = () => {
      try {
        return authentication.refuseSignaturesOf('b.example')
      } catch (error) {
        return (error as Problem).status
      }
    }
    try {
      expect(verdict()).toBe(503)
      await once(asked, 'request')
      expect(verdict()).toBe(503)
      answer()
      await eventually(verdict, (status) => status === undefined)
      expect(authentication.refuseSignaturesOf('e.example')).toBeUndefined()
    } finally {
      await directories.onApplicationShutdown()
      asked.close()
    }
  })
})

describe('the certificate of a peer that is asked', () => {
  /** What this server gets of a provider that shows this certificate. */
  async function directoryBehind(domain: string, identity: TlsIdentity): Promise<boolean> {
    const asked = createServer({ ...identity, requestCert: true, rejectUnauthorized: false }, (_request, response) => response.end('{}'))
    await once(asked.listen(0, '127.0.0.1'), 'listening')
    const url = `https://127.0.0.1:${(asked.address() as AddressInfo).port}`
    const config = { ...server.config, FEDERATION_PEER_URLS: new Map([[domain, url]]) } as Config
    const directories = new DraftDirectories(config, new DraftPeers(config), pino({ level: 'silent' }))
    try {
      return (await directories.of(domain)) !== undefined
    } finally {
      await directories.onApplicationShutdown()
      asked.close()
    }
  }

  it.each<[string, string, TlsIdentity, boolean]>([
    ['of its authority', 'b.example', right, true],
    ['with its key', 'c.example', pinned, true],
    ['that has expired', 'b.example', authority.issue('b.example', { notAfter: new Date(Date.now() - 1_000) }), false],
    ['of another provider', 'b.example', authority.issue('e.example'), false],
    ['of another authority', 'b.example', other.issue('b.example'), false],
    ['with another key', 'c.example', other.issue('c.example'), false],
    ['of the authority of another provider', 'c.example', authority.issue('c.example'), false],
    ['of the host that its address has', 'b.example', authority.issue('127.0.0.1', { names: ['localhost'] }), false],
  ])('%s', async (_what, domain, identity, believed) => {
    expect(await directoryBehind(domain, identity)).toBe(believed)
  })
})
