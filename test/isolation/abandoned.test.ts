import { afterAll, beforeAll, it } from '@jest/globals'
import { TestDevice } from '../authentication/device-fixture.js'
import { eventually } from '../support/eventually.js'
import { open } from '../support/raw-http.js'
import { startServer, type TestServer } from '../support/server.js'

let server: TestServer
let device: TestDevice
beforeAll(async () => {
  server = await startServer({ CONNECTIONS_PER_ADDRESS: '100000', LOGINS_PER_MINUTE: '100000' })
  device = await TestDevice.registered(server.url)
})
afterAll(() => server.close())

const request = (line: string, fields: string[] = [], body = '') =>
  `${[`${line} HTTP/1.1`, 'host: a', `authorization: Bearer ${device.accessToken}`, ...fields].join('\r\n')}\r\n\r\n${body}`

/** What somebody may begin and not wait for. */
const BEGUN: [string, () => string][] = [
  ['reads, one after the other', () => request('GET /v1/devices').repeat(8)],
  ['reads of heads', () => request('HEAD /v1/devices').repeat(8)],
  ['a long poll before others', () => request('GET /v1/events?wait=30') + request('GET /v1/devices').repeat(7)],
  ['a large body', () => request('POST /v1/groups', ['content-type: application/json', 'content-length: 200000'], ' '.repeat(100_000))],
  ['a small body', () => request('POST /v1/groups', ['content-type: application/json', 'content-length: 2000'], ' '.repeat(1_000))],
  [
    'a body in chunks',
    () => request('POST /v1/groups', ['content-type: application/json', 'transfer-encoding: chunked'], '5\r\n     \r\n'),
  ],
  [
    'a body that is announced',
    () => request('POST /v1/groups', ['content-type: application/json', 'content-length: 2', 'expect: 100-continue']),
  ],
  ['a body of no known type', () => request('POST /v1/groups', ['content-type: text/x-odd', 'content-length: 200000'], ' '.repeat(1_000))],
  [
    'reads before an upgrade',
    () =>
      request('GET /v1/events?wait=30') +
      request('GET /v1/devices').repeat(3) +
      request('GET /v1/stream', [
        'connection: Upgrade',
        'upgrade: websocket',
        'sec-websocket-version: 13',
        'sec-websocket-key: AQIDBAUGBwgJCgsMDQ4PEA==',
        'sec-websocket-protocol: nonsense',
      ]),
  ],
]

/** A device may have 32 requests in flight: each kind is begun and abandoned far more often. */
it.each(BEGUN)('%s leave nothing held when they are abandoned at any moment', async (_what, bytes) => {
  for (let round = 0; round < 120; round += 1) {
    const socket = await open(server.url)
    socket.on('error', () => undefined).resume()
    socket.write(bytes())
    for (let turns = round % 12; turns > 0; turns -= 1) await new Promise((resolve) => setImmediate(resolve))
    if (round % 2 === 0) socket.resetAndDestroy()
    else socket.destroy()
  }
  const ask = () => fetch(`${server.url}/v1/devices`, { headers: { authorization: `Bearer ${device.accessToken}` } })
  // What had begun is still at its statements for a moment; what leaked would be held for good.
  await eventually(
    async () => (await Promise.all(Array.from({ length: 16 }, ask))).map(({ status }) => status),
    (statuses) => statuses.every((status) => status === 200),
  )
})
