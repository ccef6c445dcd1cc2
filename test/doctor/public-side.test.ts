import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { execFileSync, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync } from 'node:fs'
import { createServer as createHttp, request, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { createServer as createHttps } from 'node:https'
import { connect, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { freePort } from '../support/free-port.js'
import { decodePath, decodingProxy, type Alteration, type DecodingProxy } from '../support/network/decoding-proxy.js'
import { startServer, type TestServer } from '../support/server.js'
import { examined, soundSettings } from './doctor-fixture.js'

const describeWithOpenssl = spawnSync('openssl', ['version']).status === 0 ? describe : describe.skip

let server: TestServer
const proxies: Server[] = []
beforeAll(async () => {
  server = await startServer()
})
afterEach(async () => {
  for (const proxy of proxies.splice(0)) {
    proxy.closeAllConnections()
    proxy.close()
    await once(proxy, 'close')
  }
})
afterAll(() => server.close())

interface Certificate {
  key: string
  cert: string
  file: string
}

interface ProxyOptions {
  /** Paths that it keeps to itself. */
  hides?: string[]
  upgrades?: boolean
  tls?: Certificate
  /** The server, if it is another one. */
  to?: string
  /** Answers requests instead of passing them on. */
  answer?: RequestListener
}

/** A proxy before the server, as good or bad as these say. */
async function proxy({ hides = [], upgrades = true, tls, answer, to = server.url }: ProxyOptions): Promise<string> {
  const listener: RequestListener = (incoming, response) => {
    if (hides.some((path) => incoming.url?.startsWith(path))) return void response.writeHead(404).end()
    const { connection: _, upgrade: __, ...headers } = incoming.headers
    const onward = request(to + (incoming.url ?? ''), { method: incoming.method ?? 'GET', headers }, (back) => {
      response.writeHead(back.statusCode ?? 502, back.headers)
      back.pipe(response)
    })
    incoming.pipe(onward)
  }
  const made = tls ? createHttps(tls, answer ?? listener) : createHttp(answer ?? listener)
  if (upgrades) made.on('upgrade', passOn)
  proxies.push(made)
  made.listen(0, '127.0.0.1')
  await once(made, 'listening')
  return `http${tls ? 's' : ''}://localhost:${(made.address() as AddressInfo).port}`
}

function passOn(incoming: IncomingMessage, socket: Duplex): void {
  const { hostname, port } = new URL(server.url)
  const onward = connect(Number(port), hostname)
  const headers = Object.entries(incoming.headers).map(([name, value]) => `${name}: ${String(value)}`)
  onward.write(`GET ${incoming.url} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`)
  onward.pipe(socket).pipe(onward)
  for (const end of [onward, socket]) end.on('error', () => undefined)
}

const HIDES = ['/metrics', '/health']
const seen = (PUBLIC_URL: string, more: Record<string, string> = {}) =>
  examined({
    ...soundSettings(server.config.DATABASE_URL ?? '', { SERVER_SECRET: server.config.SERVER_SECRET ?? '', PUBLIC_URL }),
    ...more,
  })

describe('PUBLIC_URL', () => {
  it('is well if the proxy hides what is internal and passes upgrades on', async () => {
    const { of } = await seen(await proxy({ hides: HIDES }))
    expect(of('public url')).toEqual(['ok: PUBLIC_URL leads to a MicroChat server.'])
    expect(of('internal routes')).toEqual(['ok: Metrics and health cannot be read through PUBLIC_URL.'])
    expect(of('streams')).toEqual(['ok: WebSocket upgrades pass through PUBLIC_URL.'])
  })
  it('lets anyone read metrics and health', async () => {
    const { of } = await seen(await proxy({}))
    expect(of('internal routes')).toEqual([
      expect.stringMatching(
        /^warning: \/metrics, \/health\/live, \/health\/ready can be read by anyone through PUBLIC_URL\. Set OPERATIONS_PORT/,
      ),
    ])
  })
  it('need hide nothing of a server that has metrics and health on OPERATIONS_PORT', async () => {
    const apart = await startServer({ OPERATIONS_PORT: '0' })
    const { of } = await seen(await proxy({ to: apart.url }))
    expect(of('internal routes')).toEqual(['ok: Metrics and health cannot be read through PUBLIC_URL.'])
    await apart.close()
  })
  it('does not pass upgrades on', async () => {
    const { code, of } = await seen(await proxy({ hides: HIDES, upgrades: false }))
    expect(of('streams')).toEqual([
      expect.stringMatching(/^problem: PUBLIC_URL answers a WebSocket upgrade with \d+, where the server itself answers 401/),
    ])
    expect(code).toBe(1)
  })
  it('leads elsewhere', async () => {
    const { of } = await seen(await proxy({ answer: (_, response) => void response.end('<h1>It works!</h1>') }))
    expect(of('public url')).toEqual([expect.stringMatching(/^problem: PUBLIC_URL answers 200 where this server would show its keys/)])
  })
  it('cannot be reached, perhaps only from here', async () => {
    const { of } = await seen(`http://127.0.0.1:${await freePort()}`)
    expect(of('public url')).toEqual([expect.stringMatching(/^warning: PUBLIC_URL cannot be reached from here \(ECONNREFUSED\)/)])
  })
  it('does not answer, and the doctor does not wait for it', async () => {
    const { of } = await seen(await proxy({ answer: () => undefined }))
    expect(of('public url')).toEqual([expect.stringMatching(/^warning: PUBLIC_URL cannot be reached from here/)])
  })
  it('means a proxy, whose word on the client address counts', async () => {
    const url = await proxy({ hides: HIDES })
    expect((await seen(url)).of('settings')).toContainEqual(
      expect.stringMatching(/^warning: PUBLIC_URL names a proxy, but TRUST_PROXY is off/),
    )
    expect((await seen(url, { TRUST_PROXY: 'on' })).of('settings').join()).not.toContain('TRUST_PROXY')
  })
})

describe('addresses with an escaped slash', () => {
  const altering: DecodingProxy[] = []
  afterEach(async () => {
    await Promise.all(altering.splice(0).map((one) => one.close()))
  })
  const through = async (alter: Alteration) => {
    const made = await decodingProxy(server.url, alter)
    altering.push(made)
    return made.url
  }
  const ALTERS_PATHS =
    /^warning: The proxy at PUBLIC_URL alters or refuses escaped slashes \(%2F\) in paths\..* in the query\. See "Proxies"/
  const decodeQuery: Alteration = (url) => url.replace(/\?.*/, (query) => decodeURIComponent(query))

  it('are well where a proxy leaves them alone', async () => {
    expect((await seen(await proxy({ hides: HIDES }))).of('paths')).toEqual(['ok: Addresses pass through PUBLIC_URL as they were sent.'])
  })
  it('are decoded by the proxy', async () => {
    const { of } = await seen(await through(decodePath))
    expect(of('paths')).toEqual([expect.stringMatching(ALTERS_PATHS)])
  })
  it('are merely spelt in another way, which a signature does not survive either', async () => {
    const { of } = await seen(await through((url) => url.replaceAll('%2F', '%2f')))
    expect(of('paths')).toEqual([expect.stringMatching(/^problem: The proxy at PUBLIC_URL alters the query/)])
  })
  it('are refused by the proxy', async () => {
    const url = await proxy({ hides: [...HIDES, '/v1/path-check/'] })
    expect((await seen(url)).of('paths')).toEqual([expect.stringMatching(ALTERS_PATHS)])
  })
  it('are altered in the query', async () => {
    const { code, of } = await seen(await through(decodeQuery))
    expect(of('paths')).toEqual([expect.stringMatching(/^problem: The proxy at PUBLIC_URL alters the query of addresses: .* signature/)])
    expect(code).toBe(1)
  })
  it('are altered on the way of other providers only', async () => {
    const federating = { FEDERATION: 'open', FEDERATION_URL: await through(decodePath) }
    const { of } = await seen(await proxy({ hides: HIDES }), federating)
    expect(of('paths')).toEqual([
      'ok: Addresses pass through PUBLIC_URL as they were sent.',
      expect.stringMatching(/^warning: The proxy at FEDERATION_URL alters or refuses escaped slashes/),
    ])
  })
})

describeWithOpenssl('the certificate of PUBLIC_URL', () => {
  function certificate(days: number, name = 'localhost'): Certificate {
    const folder = mkdtempSync(join(process.env['TEST_RUN_FOLDER'] ?? tmpdir(), 'certificate-'))
    const [key, file] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key, '-out', file]
    execFileSync('openssl', [...args, '-days', String(days), '-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`], {
      stdio: 'ignore',
    })
    return { key: readFileSync(key, 'utf8'), cert: readFileSync(file, 'utf8'), file }
  }
  const over = async (tls: Certificate, trusted = true) =>
    seen(await proxy({ hides: HIDES, tls }), trusted ? { NODE_EXTRA_CA_CERTS: tls.file } : {})

  it('is valid for long, and streams pass through TLS', async () => {
    const { of } = await over(certificate(90))
    expect(of('certificate')).toEqual([expect.stringMatching(/^ok: The certificate of PUBLIC_URL is valid for (89|90) days\.$/)])
    expect(of('streams')).toEqual(['ok: WebSocket upgrades pass through PUBLIC_URL.'])
  })
  it('ends soon', async () => {
    expect((await over(certificate(5))).of('certificate')).toEqual([
      expect.stringMatching(/^warning: The certificate of PUBLIC_URL ends in [45] days/),
    ])
  })
  it('is signed by nobody clients know', async () => {
    const { code, of } = await over(certificate(90), false)
    expect(of('certificate')).toEqual([
      expect.stringMatching(/^problem: Clients refuse the certificate of PUBLIC_URL \(DEPTH_ZERO_SELF_SIGNED_CERT\)/),
    ])
    expect(code).toBe(1)
  })
  it('is of another name', async () => {
    expect((await over(certificate(90, 'chat.example'))).of('certificate')).toEqual([
      expect.stringMatching(/^problem: .*ERR_TLS_CERT_ALTNAME_INVALID/),
    ])
  })
})
