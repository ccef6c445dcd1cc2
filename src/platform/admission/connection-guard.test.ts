import { once } from 'node:events'
import type { RequestListener, ServerResponse } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { afterEach, describe, expect, it, jest } from '@jest/globals'
import { OFFENCES_BURST } from './admission-limits.js'
import { ConnectionGuard, OFFENCE, STREAM_OPENED, type ConnectionGuardSettings } from './connection-guard.js'

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

const answer: RequestListener = (_request, response) => response.end('ok')

describe('connections', () => {
  it('of one address are bounded, and a closed one makes room', async () => {
    const { dial, refused, guard } = await guarded(answer, { connectionsPerAddress: 2 })
    const [first, second] = [await dial(), await dial()]
    expect([first, second].map(Boolean)).toEqual([true, true])
    expect(await dial()).toBeUndefined()
    expect(refused).toEqual(['address-connections'])
    first?.destroy()
    while (guard.connections > 1) await new Promise((resolve) => setImmediate(resolve))
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
  it('of an address are refused for a while after many of them offended', async () => {
    const { dial, server, refused } = await guarded(answer)
    server.prependListener('connection', (socket: Socket) => setImmediate(() => socket.emit(OFFENCE)))
    for (let n = 0; n < OFFENCES_BURST; n += 1) expect(await dial()).toBeDefined()
    expect(await dial()).toBeUndefined()
    expect(refused).toEqual(['address-offences'])
  })
  it('of the process are bounded', async () => {
    const { dial, refused } = await guarded(answer, { maxConnections: 1 })
    expect(await dial()).toBeDefined()
    expect(await dial()).toBeUndefined()
    expect(refused).toEqual(['process-connections'])
  })
})

describe('pipelined requests', () => {
  const pipelined = (count: number) => 'GET / HTTP/1.1\r\nhost: a\r\n\r\n'.repeat(count)

  it('are handed on eight at a time, and the socket is not read meanwhile', async () => {
    const waiting: ServerResponse[] = []
    let most = 0
    const { port, server } = await guarded((_request, response) => {
      waiting.push(response)
      most = Math.max(most, waiting.length)
    })
    const [socket] = (await Promise.all([once(server, 'connection'), dialRaw(port, pipelined(40))]))[0] as [Socket]
    while (waiting.length < 8 || !socket.isPaused()) await new Promise((resolve) => setImmediate(resolve))
    let answered = 0
    while (answered < 40) {
      await new Promise((resolve) => setImmediate(resolve))
      for (const response of waiting.splice(0)) {
        response.end('x')
        answered += 1
      }
    }
    expect(most).toBe(8)
    while (socket.isPaused()) await new Promise((resolve) => setImmediate(resolve))
  })

  it.each([
    ['', 'GET / HTTP/1.1\r\nhost: a\r\n\r\n'],
    // Node would answer these by itself, all of them, before anything here could count them.
    ['without a Host field', 'GET / HTTP/1.1\r\n\r\n'],
    ['with an expectation that nobody knows', 'GET / HTTP/1.1\r\nhost: a\r\nexpect: tea\r\n\r\n'],
  ])('past 64 %s cut the connection, and nothing of it is handed on any more', async (_kind, request) => {
    let handed = 0
    let parsed = 0
    const { port, refused, server } = await guarded(() => (handed += 1))
    for (const event of ['request', 'checkExpectation']) server.on(event, () => (parsed += 1))
    const client = await dialRaw(port, request.repeat(2_000))
    while (!client.closed) await new Promise((resolve) => setImmediate(resolve))
    expect([handed, parsed, refused]).toEqual([8, 65, ['connection-pipelined-requests']])
  })

  it('of many connections at once shut their address out for seconds, not for hours', async () => {
    let now = 1_000_000
    const clock = jest.spyOn(performance, 'now').mockImplementation(() => now)
    try {
      const { port, refused, dial, guard } = await guarded(answer)
      const clients = await Promise.all(Array.from({ length: 60 }, () => dialRaw(port, '')))
      while (guard.connections < 60) await new Promise((resolve) => setImmediate(resolve))
      for (const client of clients) client.write(pipelined(200))
      while (!clients.every(({ closed }) => closed)) await new Promise((resolve) => setImmediate(resolve))
      expect(refused.filter((name) => name === 'connection-pipelined-requests')).toHaveLength(60)
      expect(await dial()).toBeUndefined()
      now += 2_000
      expect(await dial()).toBeDefined()
    } finally {
      clock.mockRestore()
    }
  })

  async function dialRaw(port: number, bytes: string): Promise<Socket> {
    const socket = connect({ host: '127.0.0.1', port })
    open.push(socket)
    socket.on('error', () => undefined).resume()
    await once(socket, 'connect')
    socket.write(bytes)
    return socket
  }
})
