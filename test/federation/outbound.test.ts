import { createServer as createHttpServer, type RequestListener } from 'node:http'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { once } from 'node:events'
import { afterEach, describe, expect, it } from '@jest/globals'
import { parseRanges, type Resolver } from '../../src/federation/outbound/address-policy.js'
import { OUTBOUND_LIMITS, PeerConnections, PeerHttp, type OutboundSettings } from '../../src/federation/outbound/peer-http.js'

const LOOPBACK = parseRanges(['127.0.0.0/8', '::1/128'])
const closing: (() => Promise<unknown> | void)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

async function listen(server: Server): Promise<string> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket.on('error', () => undefined)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A host that answers as HTTP, or with whatever it likes. */
const http = (listener: RequestListener) => listen(createHttpServer(listener))
const raw = (answer: (socket: Socket) => void) => listen(createServer((socket) => socket.once('data', () => answer(socket))))

function client(host: string, changes: Partial<OutboundSettings> = {}, resolve?: Resolver): PeerHttp {
  const settings = { ...OUTBOUND_LIMITS, plainHosts: new Set([host]), allowedRanges: LOOPBACK, tls: {}, ...changes }
  const made = new PeerHttp(settings, resolve)
  closing.push(() => made.close())
  return made
}

const get = (url: string) => ({ method: 'GET' as const, url, headers: {} })

describe('a request to a peer', () => {
  it('brings status, headers and body, and asks for no compression', async () => {
    const host = await http((request, response) => {
      response.writeHead(207, { 'x-seen': request.headers['accept-encoding'] }).end('body')
    })
    const outcome = await client(host).send(get(`http://${host}/`))
    expect(outcome).toMatchObject({ kind: 'answered', status: 207, headers: { 'x-seen': 'identity' } })
    expect(outcome.kind === 'answered' && Buffer.from(outcome.body).toString()).toBe('body')
  })

  it.each(['http://10.0.0.1/', 'ftp://example.com/', 'https://user@example.com/', 'nonsense'])('is refused for %s', async (url) => {
    expect((await client('none').send(get(url))).kind).toBe('refused-url')
  })

  it.each([
    'https://127.0.0.1/',
    'https://0x7f.1/',
    'https://2130706433/',
    'https://[::1]/',
    'https://[::ffff:7f00:1]/',
    'https://[64:ff9b::a00:1]/',
  ])('never goes to %s', async (url) => {
    expect((await client('none', { allowedRanges: [] }).send(get(url))).kind).toBe('refused-address')
  })

  it.each([
    ['loopback', ['127.0.0.1']],
    ['loopback next to a public address', ['8.8.8.8', '127.0.0.1']],
    ['a mapped loopback', ['::ffff:127.0.0.1']],
  ])('never goes to a name that resolves to %s', async (_what, addresses) => {
    const asked: string[] = []
    const resolve: Resolver = (name, done) => {
      asked.push(name)
      done(
        null,
        addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      )
    }
    expect((await client('none', { allowedRanges: [] }, resolve).send(get('https://peer.test/'))).kind).toBe('refused-address')
    expect(asked).toEqual(['peer.test'])
  })

  it('goes to the address that was checked, though the name changes its mind', async () => {
    const host = await http((_request, response) => response.end('here'))
    const answers = ['127.0.0.1', '10.0.0.1']
    const resolve: Resolver = (_name, done) => done(null, [{ address: answers.shift() ?? '10.0.0.1', family: 4 }])
    const name = `peer.test:${host.split(':')[1]}`
    const outcome = await client(name, {}, resolve).send(get(`http://${name}/`))
    expect(outcome).toMatchObject({ kind: 'answered', status: 200 })
    expect(answers).toEqual(['10.0.0.1'])
  })

  it.each([301, 302, 307, 308])('does not follow a redirect to a private address (%i)', async (status) => {
    let followed = 0
    const host = await http((request, response) => {
      if (request.url !== '/') followed++
      response.writeHead(status, { location: `http://${request.headers.host}/internal` }).end()
    })
    expect((await client(host).send(get(`http://${host}/`))).kind).toBe('redirected')
    expect(followed).toBe(0)
  })
})

describe('a connection that was kept and has died', () => {
  /** Answers once, and hangs up from then on. */
  const forgetful = () => {
    let requests = 0
    return raw((socket) => {
      if (++requests === 1) socket.once('data', () => socket.destroy()).write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
      else socket.destroy()
    })
  }

  it('differs from a peer that is not there, so that the request can be made again', async () => {
    const host = await forgetful()
    const one = client(host)
    const post = { ...get(`http://${host}/`), method: 'POST', body: Buffer.from('x') } as const
    expect((await one.send(post)).kind).toBe('answered')
    expect(await one.send(post)).toMatchObject({ kind: 'unreachable', hungUp: true })
    const never = await raw((socket) => socket.destroy())
    expect(await client(never).send({ ...post, url: `http://${never}/` })).not.toHaveProperty('hungUp')
  })
})

describe('a range that is allowed for one peer', () => {
  it('is not for any other, nor is its address without TLS', async () => {
    const host = await http((_request, response) => response.end('here'))
    const connections = new PeerConnections({
      FEDERATION_PEER_URLS: new Map([['b.example', `http://${host}`]]),
      FEDERATION_ALLOWED_RANGES: [{ range: '127.0.0.0/8', peer: 'b.example' }],
    } as never)
    closing.push(() => connections.onApplicationShutdown())
    const asked = async (peer: string, url: string) => (await connections.of(peer).send(get(url))).kind
    expect([await asked('b.example', `http://${host}/`), await asked('b.example', 'https://127.0.0.1:1/')]).toEqual([
      'answered',
      'unreachable',
    ])
    expect([await asked('c.example', `http://${host}/`), await asked('c.example', `https://${host}/`)]).toEqual([
      'refused-url',
      'refused-address',
    ])
  })
})

describe('a peer that means ill', () => {
  const head = 'HTTP/1.1 200 OK\r\n'
  it.each<[string, string, (socket: Socket) => void]>([
    ['says nothing', 'timed-out', () => undefined],
    ['drips its headers', 'timed-out', (socket) => socket.write(`${head}x-a: `)],
    ['stops in the body', 'timed-out', (socket) => socket.write(`${head}content-length: 10\r\n\r\nabc`)],
    ['hangs up in the body', 'unreachable', (socket) => socket.end(`${head}content-length: 10\r\n\r\nabc`)],
    ['hangs up at once', 'unreachable', (socket) => socket.destroy()],
    ['writes garbage', 'malformed-response', (socket) => socket.end('\u0000\u0001 garbage\r\n\r\n')],
    ['sends 10 MB of headers', 'too-large', (socket) => socket.end(`${head}x-a: ${'a'.repeat(10 * 1024 ** 2)}\r\n\r\n`)],
    ['announces too much', 'too-large', (socket) => socket.write(`${head}content-length: 99999999\r\n\r\n`)],
    ['sends a body compressed', 'encoded', (socket) => socket.end(`${head}content-encoding: gzip\r\ncontent-length: 1\r\n\r\nx`)],
  ])('and %s costs no more than a limit: %s', async (_what, kind, answer) => {
    const host = await raw(answer)
    expect((await client(host, { totalMs: 300 }).send(get(`http://${host}/`))).kind).toBe(kind)
  })

  it('and never ends its body is cut off at the limit', async () => {
    let sent = 0
    const host = await http((_request, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536))) sent += 65_536
        if (!response.destroyed) response.once('drain', more)
      }
      more()
    })
    expect((await client(host, { bodyBytes: 1_000_000 }).send(get(`http://${host}/`))).kind).toBe('too-large')
    expect(sent).toBeLessThan(50_000_000)
  })

  it('does not speak TLS: no answer is taken without', async () => {
    const host = await raw((socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'))
    expect((await client(host).send(get(`https://${host}/`))).kind).toBe('tls-failed')
  })

  it('is not there', async () => {
    const host = await http((_request, response) => response.end())
    await closing.shift()?.()
    expect((await client(host).send(get(`http://${host}/`))).kind).toBe('unreachable')
  })

  it('is left waiting when the server drains', async () => {
    const host = await raw(() => undefined)
    const drain = new AbortController()
    const sending = client(host).send({ ...get(`http://${host}/`), signal: drain.signal })
    drain.abort()
    expect((await sending).kind).toBe('timed-out')
  })
})
