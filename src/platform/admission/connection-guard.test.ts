import { once } from 'node:events'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, it, jest } from '@jest/globals'
import { NEW_CONNECTIONS_PER_TURN, OFFENCES_BURST, NEW_REQUESTS_PER_TURN, TINY_CHUNKS } from './admission-limits.js'
import { ConnectionGuard, STREAM_OPENED, type ConnectionGuardSettings } from './connection-guard.js'
import { SLICE_BYTES } from './read-in-turns.js'

const open: Socket[] = []
const stops: (() => void)[] = []
afterEach(() => {
  for (const socket of open.splice(0)) socket.destroy()
  for (const stop of stops.splice(0)) stop()
})

async function guarded(handle: RequestListener, settings: Partial<ConnectionGuardSettings> = {}) {
  const refused: string[] = []
  const guard = new ConnectionGuard({
    maxConnections: 1_000,
    connectionsPerAddress: 1_000,
    isProxy: () => false,
    refused: ({ name }) => refused.push(name),
    ...settings,
  })
  const server = guard.createServer({}, handle)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  stops.push(() => {
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as AddressInfo
  /** @returns a connection, or undefined if it was closed at once */
  const dial = async (): Promise<Socket | undefined> => {
    const socket = connect({ host: '127.0.0.1', port })
    open.push(socket)
    socket.on('error', () => undefined)
    await once(socket, 'connect')
    socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n')
    return new Promise((resolve) => {
      socket.once('data', () => resolve(socket))
      socket.once('close', () => resolve(undefined))
    })
  }
  return { guard, server, port, refused, dial }
}

const GET = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n'
const pipelined = (count: number) => GET.repeat(count)
const turn = () => new Promise((resolve) => setImmediate(resolve))

async function dialRaw(port: number, bytes: string): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port })
  open.push(socket)
  socket.on('error', () => undefined).resume()
  await once(socket, 'connect')
  socket.write(bytes)
  return socket
}

/** A connection from any address, which has sent these bytes already. */
function connectionOf(remoteAddress: string, bytes = GET): Duplex {
  const socket = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() })
  if (bytes) socket.push(bytes)
  return Object.assign(socket, { remoteAddress })
}

const answer: RequestListener = (_request, response) => response.end('ok')

describe('connections', () => {
  it('of one address are bounded, and a closed one makes room', async () => {
    const { dial, refused, guard } = await guarded(answer, { connectionsPerAddress: 2 })
    const [first, second] = [await dial(), await dial()]
    expect([first, second].map(Boolean)).toEqual([true, true])
    expect(await dial()).toBeUndefined()
    expect(refused).toEqual(['address-connections'])
    first?.destroy()
    while (guard.connections > 1) await turn()
    expect(await dial()).toBeDefined()
  })
  it('of proxies are not counted by their address', async () => {
    const { dial } = await guarded(answer, { connectionsPerAddress: 1, isProxy: () => true })
    expect([await dial(), await dial(), await dial()].map(Boolean)).toEqual([true, true, true])
  })
  it('that have become a stream no longer count for their address', async () => {
    const { dial, server } = await guarded(answer, { connectionsPerAddress: 1 })
    server.prependListener('connection', (socket: Socket) => setImmediate(() => socket.emit(STREAM_OPENED)))
    expect([await dial(), await dial()].map(Boolean)).toEqual([true, true])
  })
  it('of an address are refused for a while after many of them were cut', async () => {
    const { port, dial, refused } = await guarded(answer)
    for (let n = 0; n < OFFENCES_BURST; n += 1) {
      const client = await dialRaw(port, pipelined(200))
      while (!client.closed) await turn()
    }
    expect(await dial()).toBeUndefined()
    expect(refused.at(-1)).toBe('address-offences')
  })
  it('that come at once are begun a few in each turn, and addresses take turns', async () => {
    const { server } = await guarded(answer)
    const bystander = connectionOf('192.0.2.2')
    const sockets = [...Array.from({ length: 40 }, () => connectionOf('192.0.2.1')), bystander]
    const begun = () => sockets.filter((socket) => socket.listenerCount('readable') > 0).length // who is begun is read
    for (const socket of sockets) server.emit('connection', socket)
    const perTurn = [begun()]
    let before = 0
    while (begun() < sockets.length) {
      if (bystander.listenerCount('readable') === 0) before = begun()
      const last = begun()
      await turn()
      perTurn.push(begun() - last)
    }
    expect(Math.max(...perTurn)).toBeLessThanOrEqual(NEW_CONNECTIONS_PER_TURN.value)
    expect(before).toBeLessThanOrEqual(NEW_CONNECTIONS_PER_TURN.value)
  })
  it('of the process are bounded', async () => {
    const { dial, refused } = await guarded(answer, { maxConnections: 1 })
    expect(await dial()).toBeDefined()
    expect(await dial()).toBeUndefined()
    expect(refused).toEqual(['process-connections'])
  })
  it('that are reset before their turn leave nothing behind', async () => {
    const { port, guard, dial } = await guarded(answer)
    for (let n = 0; n < 5; n += 1) {
      const clients = await Promise.all(Array.from({ length: 40 }, () => dialRaw(port, 'GET')))
      for (const client of clients) client.resetAndDestroy()
      while (guard.connections > 0) await turn()
    }
    expect(await dial()).toBeDefined()
  })
})

describe('requests', () => {
  it('that many connections send at the same moment begin a few in each turn, and addresses take turns', async () => {
    const order: string[] = []
    const { server } = await guarded((request, response) => {
      order.push(request.socket.remoteAddress ?? '')
      response.end()
    })
    const sockets = Array.from({ length: 100 }, () => connectionOf('192.0.2.1', ''))
    const bystander = connectionOf('192.0.2.2', '')
    for (const socket of [...sockets, bystander]) server.emit('connection', socket)
    for (let n = 0; n < 20; n += 1) await turn()
    for (const socket of [...sockets, bystander]) socket.push(GET)
    const perTurn: number[] = []
    while (order.length < 101) {
      const before = order.length
      await turn()
      perTurn.push(order.length - before)
    }
    expect(Math.max(...perTurn)).toBeLessThanOrEqual(2 * NEW_REQUESTS_PER_TURN.value)
    expect(order.indexOf('192.0.2.2')).toBeLessThanOrEqual(2 * NEW_REQUESTS_PER_TURN.value)
  })
})

describe('a body in chunks', () => {
  it.each(['GET', 'POST'])('of a byte each is parsed up to a thousand of them, then its connection is cut: %s', async (method) => {
    const seen: IncomingMessage[] = []
    // As behind a look-up of its session: nobody reads the body yet.
    const { port, refused } = await guarded((request) => void seen.push(request))
    const head = `${method} / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n`
    const client = await dialRaw(port, head + '1\r\n1\r\n'.repeat(9_000))
    while (!client.closed) await turn()
    expect(refused).toEqual(['connection-tiny-chunks'])
    // No further piece is read; one buffer for each.
    expect(seen[0]?.readableLength).toBeLessThanOrEqual(TINY_CHUNKS.value + SLICE_BYTES / 6)
    expect((seen[0] as unknown as { _readableState: { buffer: unknown[] } })._readableState.buffer.length).toBeLessThanOrEqual(2)
  })
  it('that was cut leaves its parser usable, which Node gives to the next connection', async () => {
    const bodies: Promise<string>[] = []
    const { port } = await guarded((request, response) => {
      bodies.push(text(request).catch(String))
      request.once('end', () => response.end('ok'))
    })
    const head = 'POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n'
    const cut = await dialRaw(port, head + '1\r\n1\r\n'.repeat(9_000))
    while (!cut.closed) await turn()
    bodies.length = 0
    for (const n of [1, 2, 3]) await once(await dialRaw(port, `${head}4\r\nok ${n}\r\n0\r\n\r\n`), 'data')
    expect(await Promise.all(bodies)).toEqual(['ok 1', 'ok 2', 'ok 3'])
  })
  it('of a usual size is read to its end, also with some tiny ones', async () => {
    const { port } = await guarded((request, response) => {
      let bytes = 0
      request.on('data', (chunk: Buffer) => (bytes += chunk.length)).once('end', () => response.end(String(bytes)))
    })
    const client = await dialRaw(port, 'POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n')
    client.write('1\r\n1\r\n'.repeat(900) + `400\r\n${'1'.repeat(1_024)}\r\n`.repeat(2_000) + '0\r\n\r\n')
    const [answered] = (await once(client, 'data')) as [Buffer]
    expect(answered.toString()).toContain(String(900 + 1_024 * 2_000))
  })
})

describe('pipelined requests', () => {
  it('are handed on eight at a time, and the socket is not read while others wait', async () => {
    const waiting: ServerResponse[] = []
    let most = 0
    const { port, server } = await guarded((_request, response) => {
      waiting.push(response)
      most = Math.max(most, waiting.length)
    })
    const [socket] = (await Promise.all([once(server, 'connection'), dialRaw(port, pipelined(30))]))[0] as [Socket]
    while (waiting.length < 8 || !socket.isPaused()) await turn()
    let answered = 0
    while (answered < 30) {
      await turn()
      for (const response of waiting.splice(0)) {
        response.end('x')
        answered += 1
      }
    }
    expect(most).toBe(8)
    while (socket.isPaused()) await turn()
  })
  it.each([
    ['', 'GET / HTTP/1.1\r\nhost: a\r\n\r\n'],
    // Node would answer these by itself, all of them, before anything here could count them.
    ['without a Host field', 'GET / HTTP/1.1\r\n\r\n'],
    ['with an expectation that nobody knows', 'GET / HTTP/1.1\r\nhost: a\r\nexpect: tea\r\n\r\n'],
  ])('past 32 %s cut the connection, and nothing of it is handed on any more', async (_kind, request) => {
    let handed = 0
    let parsed = 0
    const { port, refused, server } = await guarded(() => (handed += 1))
    for (const event of ['request', 'checkExpectation']) server.on(event, () => (parsed += 1))
    const client = await dialRaw(port, request.repeat(2_000))
    while (!client.closed) await turn()
    expect([handed, refused]).toEqual([8, ['connection-pipelined-requests']])
    // The piece that was being read, and no further one.
    expect(parsed).toBeLessThanOrEqual(Math.ceil((2 * SLICE_BYTES) / request.length))
  })
  it('of many connections at once shut their address out for seconds, not for hours', async () => {
    let now = 1_000_000
    const clock = jest.spyOn(performance, 'now').mockImplementation(() => now)
    try {
      const { port, refused, dial, guard } = await guarded(answer)
      const clients = await Promise.all(Array.from({ length: 60 }, () => dialRaw(port, '')))
      while (guard.connections < 60) await turn()
      for (const client of clients) client.write(pipelined(200))
      while (!clients.every(({ closed }) => closed)) await turn()
      expect(refused.filter((name) => name === 'connection-pipelined-requests')).toHaveLength(60)
      expect(await dial()).toBeUndefined()
      now += 2_000
      expect(await dial()).toBeDefined()
    } finally {
      clock.mockRestore()
    }
  })
})
