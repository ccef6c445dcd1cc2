import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { TestDevice } from '../authentication/device-fixture.js'
import { open } from '../support/raw-http.js'
import { startServer, type TestServer } from '../support/server.js'

let server: TestServer
let token: string
const lines: string[] = []
beforeAll(async () => {
  server = await startServer(
    { CONNECTIONS_PER_ADDRESS: '100000', LOGINS_PER_MINUTE: '100000' },
    { log: { write: (line) => void lines.push(line) } },
  )
  token = (await TestDevice.registered(server.url)).accessToken ?? ''
})
afterAll(() => server.close())

/** Numbers that are the same in every run (mulberry32). */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let value = Math.imul(state ^ (state >>> 15), 1 | state)
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value
    return ((value ^ (value >>> 14)) >>> 0) % below
  }
}

const seeds = (): string[] => [
  `GET /v1/devices HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`,
  `GET /v1/groups/AQID/log?from_seq=1&limit=2 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`,
  `GET /v1/stream HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\nSec-WebSocket-Protocol: microchat.v1\r\nAuthorization: Bearer ${token}x\r\n\r\n`,
  `GET //[ HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
  `POST /v1/auth/challenges HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 47\r\nConnection: close\r\n\r\n{"client":"mimi://localhost/d/nobody/phone","a"`,
  `POST /v1/groups/AQID/messages HTTP/1.1\r\nHost: a\r\nContent-Type: message/mls\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n4\r\nabcd\r\n0\r\n\r\n`,
  `POST /v1/sealed/AQID/1/messages HTTP/1.1\r\nHost: a\r\nContent-Type: message/mls\r\nContent-Length: 3\r\nAuthorization: PrivateToken token="AAAA"\r\nConnection: close\r\n\r\nabc`,
  `POST /mimi/v1/notify/mimi%3A%2F%2Fa.example%2Fr%2Fx HTTP/1.1\r\nHost: a\r\nSignature-Input: mimi=("@method");created=1\r\nSignature: mimi=:AAAA:\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
  `OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
]

/** Pieces that parsers of targets, fields and percent-encodings disagree on. */
const PIECES = [
  '//[',
  '%00',
  '%',
  '%ff',
  '%2F',
  '..',
  '\\',
  '?',
  '#',
  '\u0000',
  '\r\n',
  '\n',
  ' ',
  '\t',
  ':',
  ',',
  ';',
  '"',
  'http://',
  '@',
  '[::1]',
  '[',
  '*',
  'Upgrade',
  'close, upgrade',
  'chunked',
  '-1',
  '99999999999999999999',
  '\u00ff',
  '\ud800',
  'a'.repeat(2_000),
]

function mutate(bytes: Buffer, below: (limit: number) => number): Buffer {
  const copies = Buffer.from(bytes)
  const at = below(bytes.length)
  const kind = below(4)
  if (kind === 0) {
    copies[at] = below(256)
    return copies
  }
  if (kind === 1) return Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.min(bytes.length, at + 1 + below(12)))])
  const piece = Buffer.from(PIECES[below(PIECES.length)] ?? '', 'latin1')
  // Most of what is parsed is in the first line.
  const place = kind === 2 ? below(Math.min(bytes.length, 60)) : at
  return Buffer.concat([bytes.subarray(0, place), piece, bytes.subarray(place)])
}

/** All that comes back. What was no whole request is ended by us when nothing has come for a moment. */
async function answerTo(bytes: Buffer, silenceMs = 250): Promise<string> {
  const socket = await open(server.url)
  const received: Buffer[] = []
  const end = () => socket.end()
  const timer = setTimeout(end, silenceMs)
  socket.on('data', (chunk: Buffer) => received.push(chunk)).on('end', end)
  // A connection may be reset while bytes are on their way; a fault would be in the log.
  socket.on('error', () => undefined)
  socket.write(bytes)
  await new Promise((resolve) => socket.once('close', resolve))
  clearTimeout(timer)
  return Buffer.concat(received).toString('latin1')
}

it('[I11] no sequence of bytes is answered with 500, in the request line, the fields or an upgrade', async () => {
  const below = numbers(20_261_129)
  const inputs = [...seeds(), ...Array.from({ length: 2_000 }, (_, n) => seeds()[n % seeds().length] ?? '')].map((seed, index) => {
    let bytes: Buffer = Buffer.from(seed, 'latin1')
    if (index >= seeds().length) for (let changes = 1 + below(3); changes > 0; changes -= 1) bytes = mutate(bytes, below)
    return bytes
  })
  const statuses = new Map<string, number>()
  const faults: string[] = []
  const queue = inputs.entries()
  const lane = async () => {
    for (const [index, bytes] of queue) {
      // Those that nothing was done to are answered however busy the machine is.
      const answer = await answerTo(bytes, index < seeds().length ? 5_000 : 250)
      for (const [, status = ''] of answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)) {
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
        if (status === '500') faults.push(bytes.toString('latin1'))
      }
    }
  }
  await Promise.all(Array.from({ length: 32 }, lane))
  expect(faults).toEqual([])
  expect(lines.filter((line) => /request failed|upgrade failed/.test(line))).toEqual([])
  // The inputs reach past the parser: some are understood, some refused there, some by a route.
  for (const status of ['200', '400', '401', '404']) expect([...statuses.keys()]).toContain(status)
})
