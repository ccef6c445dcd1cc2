import { once } from 'node:events'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, it } from '@jest/globals'
import fastify, { type FastifyInstance } from 'fastify'
import pino from 'pino'
import { Cors } from '../http/server/cors.js'
import { RateLimited } from '../http/problem.js'
import { sendProblem } from '../http/send-problem.js'
import { Admission } from './admission.js'
import { ADDRESS_UNAUTHENTICATED_IN_FLIGHT } from './admission-limits.js'
import { ConnectionGuard } from './connection-guard.js'
import { registerAdmission } from './register-admission.js'

const servers: FastifyInstance[] = []
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const server of servers.splice(0)) await server.close()
})

/** A server with one anonymous route, `/`: a GET waits for `letGo`, a POST takes JSON. */
async function served() {
  const settings = {
    ANONYMOUS_PER_MINUTE: 1_000_000,
    REQUESTS_PER_DEVICE_PER_MINUTE: 1_000_000,
    BYTES_IN_FLIGHT: 128 * 1024 ** 2,
    MAX_BODY_BYTES: 1024 ** 2,
  }
  const admission = new Admission(settings, { refuses: () => false }, () => undefined)
  const guard = new ConnectionGuard({
    maxConnections: 100,
    connectionsPerAddress: 100,
    isProxy: () => false,
    refused: () => undefined,
  })
  const server = fastify({ serverFactory: (handle) => guard.createServer({}, handle), forceCloseConnections: true })
  servers.push(server)
  const log = pino({ level: 'silent' })
  server.setErrorHandler((error, request, reply) => sendProblem(error, request, reply, log))
  registerAdmission(server, {
    admission,
    authenticate: () => Promise.reject(new RateLimited(1)),
    routeRefusal: () => undefined,
    cors: new Cors({ CORS_ORIGINS: 'any', PUBLIC_URL: undefined }),
    log,
  })
  const gate = Promise.withResolvers<void>()
  const state = { asked: 0 }
  const handler = async () => {
    state.asked += 1
    await gate.promise
    return 'x'.repeat(1_000)
  }
  server.get('/', { config: { anonymous: true }, handler })
  server.post('/', { config: { anonymous: true }, bodyLimit: settings.MAX_BODY_BYTES, handler: async () => 'taken' })
  await server.listen({ port: 0, host: '127.0.0.1' })
  const { port } = server.server.address() as AddressInfo
  const dial = async (bytes: string) => {
    const socket = connect({ host: '127.0.0.1', port })
    sockets.push(socket)
    socket.on('error', () => undefined)
    await once(socket, 'connect')
    socket.write(bytes)
    return socket
  }
  return { admission, state, letGo: () => gate.resolve(), dial, guard, server: server.server }
}

const GET = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n'
const statusOf = async (socket: Socket) => String(((await once(socket, 'data')) as [Buffer])[0]).slice(0, 12)
const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('what a request holds', () => {
  it.each([
    ['before their answers', false],
    ['and answered nevertheless', true],
  ])('is given back if pipelined requests are abandoned %s', async (_when, answered) => {
    const { admission, state, letGo, dial, guard } = await served()
    for (let n = 1; n * 8 <= ADDRESS_UNAUTHENTICATED_IN_FLIGHT.value; n += 1) {
      const socket = await dial(GET.repeat(8))
      while (state.asked < n * 8) await turn()
      socket.resetAndDestroy()
      while (guard.connections > 0) await turn()
    }
    if (answered) letGo()
    for (let n = 0; n < 10; n += 1) await turn()
    expect(admission.bytes.total).toBe(0)
    expect(() => admission.admitAnonymous('127.0.0.1')).not.toThrow()
  })
})

describe('answers that are not sent yet', () => {
  it.each([
    ['its caller', '127.0.0.1', 25 * 1024 ** 2, 'HTTP/1.1 429'],
    ['the process', '192.0.2.1', 129 * 1024 ** 2, 'HTTP/1.1 503'],
  ])('make a read wait once they are more than %s may hold', async (_whose, caller, bytes, status) => {
    const { admission, dial, letGo } = await served()
    letGo()
    admission.bytes.hold(caller, bytes)
    expect(await statusOf(await dial(GET))).toBe(status)
    admission.bytes.release(caller, bytes)
    expect(await statusOf(await dial(GET))).toBe('HTTP/1.1 200')
  })
})

describe('a body in chunks', () => {
  const head = (type: string) => `POST / HTTP/1.1\r\nhost: a\r\ncontent-type: ${type}\r\ntransfer-encoding: chunked\r\n\r\n`

  it.each(['GET', 'POST'])('of a byte each is not read on after its refusal, and its connection ends: %s', async (method) => {
    const { dial, guard, server } = await served()
    let connection: Socket | undefined
    server.on('connection', (own: Socket) => (connection = own))
    const start = `${method} /nowhere HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n`
    const socket = await dial(start + '1\r\n1\r\n'.repeat(200_000))
    socket.resume()
    while (!socket.closed || guard.connections > 0) await turn()
    expect(connection?.bytesRead).toBeLessThan(600_000)
  })

  it.each([
    ['of known length', 'content-length: 2000000', ''],
    ['in chunks', 'transfer-encoding: chunked', '20000\r\n'],
  ])('a large one, %s, that is refused by its head: the answer says that the connection ends, and arrives', async (_what, field, start) => {
    const { dial } = await served()
    for (let n = 0; n < 10; n += 1) {
      const socket = await dial(`POST / HTTP/1.1\r\nhost: a\r\ncontent-type: text/x-odd\r\n${field}\r\n\r\n${start}`)
      const failed: unknown[] = []
      socket.on('error', (error) => failed.push(error))
      const answer = text(socket)
      // As a client that writes its body in pieces, and reads in between.
      for (let piece = 0; piece < 8 && socket.writable; piece += 1) {
        socket.write(' '.repeat(16 * 1024))
        await turn()
      }
      expect(await answer).toMatch(/^HTTP\/1.1 41[35] [^]*connection: close\r\n[^]*\}$/i)
      expect(failed).toEqual([])
    }
  })

  it('of 64 bytes each counts for more than its bytes, and is refused before it is as large as a body may be', async () => {
    const { dial } = await served()
    // A burst of 24 MiB is 24,576 chunks; 3.2 MB are far within every other limit but the body's own.
    const socket = await dial(head('application/json') + `40\r\n${'1'.repeat(64)}\r\n`.repeat(50_000) + '0\r\n\r\n')
    expect(await statusOf(socket)).toMatch(/^HTTP\/1.1 4(13|29)$/)
  })

  it.each([
    ['of a type that is not taken', 'text/x-odd', 'HTTP/1.1 415'],
    ['that is too large', 'application/json', 'HTTP/1.1 413'],
  ])('%s is not read on after its answer, and its connection is closed', async (_what, type, status) => {
    const { dial, guard } = await served()
    const chunk = `10000\r\n${'1'.repeat(0x10000)}\r\n`
    const socket = await dial(head(type) + chunk.repeat(18))
    const send = () => {
      while (!socket.destroyed && socket.write(chunk));
    }
    socket.on('drain', send)
    expect(await statusOf(socket)).toBe(status)
    send()
    while (!socket.closed || guard.connections > 0) await turn()
  })
})
