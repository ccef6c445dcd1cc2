import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { STREAM_PROTOCOL } from '../../../src/protocol/frames.js'
import { sendRaw } from '../../support/raw-http.js'
import { startServer, type TestServer } from '../../support/server.js'

const lines: string[] = []
let server: TestServer
beforeAll(async () => {
  server = await startServer({}, { log: { write: (line) => void lines.push(line) } })
})
afterAll(() => server?.close())

const head = (target: string, fields: string) => `GET ${target} HTTP/1.1\r\nhost: x\r\n${fields}\r\n\r\n`
const UPGRADE = 'connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA=='

describe('what is refused on the bare socket', () => {
  it.each([
    ['a stream without a token', head('/v1/stream', `${UPGRADE}\r\nsec-websocket-protocol: ${STREAM_PROTOCOL}`), 401, '/v1/stream'],
    ['a stream of another protocol', head('/v1/stream', `${UPGRADE}\r\nsec-websocket-protocol: chat`), 400, '/v1/stream'],
    ['fields that are too large', head('/v1/devices', `x-large: ${'a'.repeat(20_000)}`), 431, 'unmatched'],
    ['bytes that are not HTTP', 'GARBAGE hunter2\r\n\r\n', 400, 'unmatched'],
  ])('is found in the log by the instance of its problem: %s', async (_what, bytes, status, route) => {
    const answer = await sendRaw(server.url, bytes)
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    const [, id = ''] = /^x-request-id: (\S+)\r$/m.exec(answer) ?? []
    expect(answer).toContain(`"instance":"urn:request:${id}"`)
    const found = lines.map((line) => JSON.parse(line) as Record<string, unknown>).filter(({ request_id }) => request_id === id)
    expect(found).toMatchObject([{ level: 'info', msg: 'request', status, route }])
    expect(lines.join('')).not.toMatch(/hunter2|aaaa/)
  })
})
