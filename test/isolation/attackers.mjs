/**
 * `node attackers.mjs NAME URL SECONDS [TOKEN]`: one hostile client, from an address of its own, with plain sockets. It stops by
 * itself after SECONDS and prints one line of JSON: what it did and how often it was answered.
 */
import { connect } from 'node:net'

const [name, url, seconds, token] = process.argv.slice(2)
const { hostname, port } = new URL(url)
const end = Date.now() + Number(seconds) * 1000
const seen = { connections: 0, refused: 0, answers: {}, bytes: 0 }
const sockets = new Set()

const running = () => Date.now() < end
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** A connection from 127.0.0.2, which counts the statuses that it is answered with. */
function open({ read = true } = {}) {
  const socket = connect({ host: hostname, port: Number(port), localAddress: '127.0.0.2', allowHalfOpen: true, noDelay: true })
  seen.connections += 1
  sockets.add(socket)
  socket.setMaxListeners(0)
  socket.on('error', () => undefined)
  socket.on('close', () => sockets.delete(socket))
  const count = () => {
    if (!socket.wasAnswered && !socket.wasCounted && running()) seen.refused += 1
    socket.wasCounted = true
  }
  socket.on('close', count).on('end', count)
  if (read) {
    socket.on('data', (data) => {
      socket.wasAnswered = true
      seen.bytes += data.length
      for (const [, status] of data.toString('latin1').matchAll(/HTTP\/1\.1 (\d{3}) /g))
        seen.answers[status] = (seen.answers[status] ?? 0) + 1
    })
  }
  return socket
}

const closed = (socket) => new Promise((resolve) => (socket.destroyed ? resolve() : socket.once('close', resolve)))
const drained = (socket) => new Promise((resolve) => socket.once('drain', resolve).once('close', resolve))
/** The next bytes of the server, its end, or a second without either. */
function answeredOrClosed(socket) {
  return new Promise((resolve) => {
    const timer = setTimeout(done, 1_000)
    function done() {
      clearTimeout(timer)
      socket.off('data', done).off('close', done).off('end', done)
      resolve()
    }
    socket.on('data', done).on('close', done).on('end', done)
  })
}
const head = (method, path, fields = {}) =>
  `${method} ${path} HTTP/1.1\r\nhost: a\r\n${Object.entries(fields)
    .map(([key, value]) => `${key}: ${value}\r\n`)
    .join('')}\r\n`
const authorized = token ? { authorization: `Bearer ${token}` } : {}

/** Sends the same bytes again and again for as long as the connection takes them, then opens another. */
async function flood(bytes, lanes = 1) {
  const lane = async () => {
    while (running()) {
      const socket = open()
      while (running() && !socket.destroyed) if (!socket.write(bytes)) await Promise.race([drained(socket), pause(200)])
      socket.destroy()
      // A refused client tries again at once, but does not spin.
      await pause(5)
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
}

/** Opens `count` connections at once and says `bytes` on each, then nothing more; opens them again when they are closed. */
async function hold(count, bytes, { read = true, halfOpen = false } = {}) {
  const lane = async () => {
    while (running()) {
      const socket = open({ read })
      if (bytes) socket.write(bytes)
      if (!halfOpen) socket.once('end', () => socket.destroy())
      await Promise.race([closed(socket), pause(Math.max(0, end - Date.now()))])
      await pause(100)
    }
  }
  await Promise.all(Array.from({ length: count }, lane))
}

/** One byte at a time, every `ms`. */
async function trickle(count, start, byte, ms) {
  const lane = async () => {
    while (running()) {
      const socket = open()
      socket.write(start)
      while (running() && !socket.destroyed) {
        socket.write(byte)
        await pause(ms)
      }
      socket.destroy()
      await pause(50)
    }
  }
  await Promise.all(Array.from({ length: count }, lane))
}

/** A request at a time on each of some connections, as fast as answers come. */
async function ask(bytes, lanes) {
  const lane = async () => {
    while (running()) {
      const socket = open()
      while (running() && !socket.destroyed && !socket.readableEnded) {
        socket.write(bytes)
        await answeredOrClosed(socket)
      }
      socket.destroy()
      await pause(5)
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
}

/** Opens `count` connections, which then all say `bytes` at the same moment; those that end are opened again. */
async function together(count, bytes, ms) {
  const lane = []
  while (running()) {
    for (let n = lane.length; n < count; n += 1) {
      const socket = open()
      lane.push(socket)
      socket.once('close', () => lane.splice(lane.indexOf(socket), 1))
    }
    await pause(ms)
    for (const socket of lane) socket.write(bytes)
  }
}

const MEGABYTE = Buffer.alloc(1024 * 1024, 0x20)
/** A body of 6 MB, of which the last bytes never come. */
const unfinished = (path, fields = {}) =>
  Buffer.concat([
    Buffer.from(head('POST', path, { 'content-type': 'application/json', 'content-length': 6 * 1024 ** 2, ...fields })),
    ...Array.from({ length: 5 }, () => MEGABYTE),
    MEGABYTE.subarray(0, 900_000),
  ])
const chunked = (method, path, fields = {}, chunk = '1\r\n1\r\n', count = 500_000) =>
  head(method, path, { 'content-type': 'application/json', 'transfer-encoding': 'chunked', ...fields }) + chunk.repeat(count)
/** A body of as many chunks as do not cut the connection. */
const few = (method, path) => `${chunked(method, path, {}, '1\r\n1\r\n', 990)}0\r\n\r\n`
/** A token of the right form and a signature that is not. */
const forged = token ? { authorization: `Bearer ${token.slice(0, -8)}AAAAAAAA` } : {}
const post = (path, type, body, fields = {}) =>
  Buffer.concat([Buffer.from(head('POST', path, { 'content-type': type, 'content-length': body.length, ...fields })), body])
const upgrade = (path, fields = {}) =>
  head('GET', path, {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'AQIDBAUGBwgJCgsMDQ4PEA==',
    ...fields,
  })

/** Some 16 KB of signature fields, which name 305 components. */
function manyComponents() {
  const components = Array.from({ length: 305 }, (_, n) => `"@query-param";name="parameter-${n}-${'x'.repeat(18)}"`).join(' ')
  return {
    from: 'mimi@b.example',
    'mimi-target': 'localhost',
    'signature-input':
      `mimi=("@method" "@target-uri" ${components});created=${Math.floor(Date.now() / 1000)};expires=${Math.floor(Date.now() / 1000) + 60};nonce="AAAAAAAAAAAAAAAAAAAAAA";keyid="b.example/k";alg="ed25519";tag="mimi-request"`.slice(
        0,
        15_000,
      ),
    signature: 'mimi=:AAAA:',
  }
}

const ATTACKS = {
  'pipelining-anonymous': () => flood(head('GET', '/.well-known/jwks.json').repeat(1_500)),
  'pipelining-unknown': () => flood('GET /x HTTP/1.1\r\nhost:a\r\n\r\n'.repeat(2_000), 3),
  'pipelining-without-host': () => flood('GET / HTTP/1.1\r\n\r\n'.repeat(3_600), 3),
  'pipelining-expectations': () => flood(head('GET', '/', { expect: 'tea' }).repeat(1_500), 3),
  // All connections that an address may have, each with a read of the socket's size at the same moment.
  'pipelining-at-once': () => hold(400, 'GET /x HTTP/1.1\r\nhost:a\r\n\r\n'.repeat(2_000)),
  // The same of connections that have been there for a while, each with as much as does not cut it.
  'pipelining-together': () => together(400, 'GET /x HTTP/1.1\r\nhost:a\r\n\r\n'.repeat(31), 1_000),
  'chunks-of-a-byte-together': () => together(400, few('POST', '/v1/groups'), 1_000),
  'chunks-of-a-byte-in-many-requests': () => flood(few('POST', '/v1/groups').repeat(10), 8),
  'chunks-of-64-bytes': () => flood(chunked('POST', '/v1/groups', {}, '40\r\n' + '1'.repeat(64) + '\r\n', 40_000), 8),
  'forged-tokens-pipelined': () => flood(head('GET', '/v1/devices', forged).repeat(31), 8),
  'addresses-that-cannot-be-decoded': () => ask(head('GET', '/v1/%zz'), 50),
  'chunks-of-a-byte-read': () => flood(chunked('GET', '/.well-known/jwks.json'), 8),
  'chunks-of-a-byte-anonymous': () => flood(chunked('POST', '/v1/sealed/AQID/1/messages'), 8),
  'chunks-of-a-byte-authorized': () => flood(chunked('POST', '/v1/groups', authorized), 8),
  'pipelining-authorized': () => flood(head('GET', '/v1/devices', authorized).repeat(300)),
  'unfinished-bodies': () => hold(150, unfinished('/v1/groups')),
  'unfinished-bodies-unknown': () => hold(150, unfinished('/v1/nope')),
  'unfinished-bodies-authorized': () => hold(150, unfinished('/v1/groups', authorized)),
  'large-challenges': () =>
    ask(post('/v1/auth/challenges', 'application/json', Buffer.concat([Buffer.from('{"client":"'), MEGABYTE, Buffer.from('"}')])), 8),
  'refused-upgrades': () => hold(300, upgrade('/v1/stream'), { halfOpen: true }),
  garbage: () => hold(300, 'GARBAGE\r\n\r\n', { halfOpen: true }),
  'anonymous-reads': () => ask(head('GET', '/v1/sealed-relay/a.example/keys'), 50),
  'anonymous-sealed-posts': () => ask(post('/v1/sealed/AQID/1/messages', 'message/mls', Buffer.alloc(1_000)), 50),
  'signature-headers': () =>
    ask(head('POST', '/mimi/v1/notify/mimi%3A%2F%2Fa.example%2Fr%2Fx', { ...manyComponents(), 'content-length': 0 }), 20),
  'token-batches': () =>
    ask(
      post('/v1/tokens', 'application/private-token-generic-batch-request', Buffer.from(process.env.BODY ?? '', 'base64'), authorized),
      20,
    ),
  'slow-headers': () => trickle(400, 'GET / HTTP/1.1\r\nhost: a\r\nx: ', 'a', 500),
  'slow-bodies': () =>
    trickle(200, head('POST', '/v1/groups', { ...authorized, 'content-type': 'application/json', 'content-length': 1_000_000 }), '  ', 200),
  'slow-readers': () => hold(100, head('GET', '/openapi.json').repeat(30), { read: false }),
  'idle-sockets': () => hold(5_000, ''),
  'connection-churn': async () => {
    while (running()) {
      for (let n = 0; n < 50; n += 1) open().end(head('GET', '/'))
      await pause(50)
      for (const socket of sockets) if (socket.readableEnded) socket.destroy()
    }
  },
  'header-floods': () =>
    ask(head('GET', '/v1/devices', Object.fromEntries(Array.from({ length: 250 }, (_, n) => [`x-${n}`, 'a'.repeat(48)]))), 20),
  'compressed-bodies': () =>
    ask(post('/v1/auth/challenges', 'application/json', Buffer.alloc(4_000, 1), { 'content-encoding': 'gzip' }), 20),
  'deep-json': () => ask(post('/v1/groups', 'application/json', Buffer.alloc(1_000_000, '['), authorized), 4),
  'deep-cbor': () => ask(post('/v1/groups', 'application/cbor', Buffer.alloc(1_000_000, 0x81), authorized), 4),
  'many-tokens-json': () => ask(post('/v1/groups', 'application/json', Buffer.from(`[${'1,'.repeat(190_000)}1]`), authorized), 4),
}

const attack = ATTACKS[name]
if (!attack) throw new Error(`There is no attack ${name}: ${Object.keys(ATTACKS).join(', ')}`)
await attack()
const held = sockets.size
// Those that want to see whether the server lets go of its half keep theirs until they are ended.
for (const socket of sockets) socket.destroy()
process.stdout.write(`${JSON.stringify({ ...seen, held })}\n`)
process.exit(0)
