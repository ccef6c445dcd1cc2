import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { startServer, type TestServer } from '../support/server.js'
import { HttpDevice, UNLIMITED } from './http-device-fixture.js'

let server: TestServer
let mallory: HttpDevice
let honest: Uint8Array

beforeAll(async () => {
  server = await startServer(UNLIMITED)
  mallory = await HttpDevice.register(server.url)
  honest = (await mallory.make(1))[0]!
})
afterAll(() => server.close())

interface Answer {
  status: number
  type: string
  problem: Record<string, unknown>
}

async function send(body: unknown, contentType = 'application/json'): Promise<Answer> {
  const response = await fetch(`${server.url}/v1/key-packages`, {
    method: 'POST',
    headers: { 'content-type': contentType, authorization: `Bearer ${mallory.http.accessToken}` },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  const problem = (await response.json()) as Record<string, unknown>
  return { status: response.status, type: response.headers.get('content-type') ?? '', problem }
}

const upload = (...keyPackages: Uint8Array[]) =>
  send({ key_packages: keyPackages.map((bytes) => Buffer.from(bytes).toString('base64url')) })

function expectProblem(answer: Answer, status: number, type: string): void {
  expect(answer).toMatchObject({ status, problem: { status, type: `urn:microchat:problem:${type}` } })
  expect(answer.type).toContain('application/problem+json')
}

/** A KeyPackage up to its capabilities, then as many cipher suites as asked for. */
function withCipherSuites(count: number): Uint8Array {
  const vector = (bytes: Uint8Array) =>
    Buffer.concat([Buffer.from([0x80 | (bytes.length >> 24), bytes.length >> 16, bytes.length >> 8, bytes.length]), bytes])
  const short = (bytes: Uint8Array) => Buffer.concat([Buffer.of(bytes.length), bytes])
  return Buffer.concat([
    Buffer.of(0, 1, 0, 5, 0, 1, 0, 1),
    short(Buffer.alloc(32, 1)),
    short(Buffer.alloc(32, 2)),
    short(Buffer.alloc(32, 3)),
    Buffer.of(0, 1),
    short(Buffer.from('mallory')),
    short(Buffer.of(0, 1)),
    vector(Buffer.alloc(count * 2, 7)),
  ])
}

describe('what a hostile upload gets', () => {
  test('for a KeyPackage cut short anywhere: 422', async () => {
    for (let length = 1; length < honest.length; length += 7) expectProblem(await upload(honest.subarray(0, length)), 422, 'undecodable')
    expectProblem(await upload(new Uint8Array()), 400, 'invalid-request')
  })

  test('for any byte flipped: 422', async () => {
    for (let at = 0; at < honest.length; at += 3) {
      const flipped = Uint8Array.from(honest)
      flipped[at]! ^= 0xff
      const answer = await upload(flipped)
      expectProblem(answer, 422, answer.problem['type'] === 'urn:microchat:problem:undecodable' ? 'undecodable' : 'invalid-key-package')
    }
  })

  test('for bytes after the end: 422, and its place', async () => {
    const [fine] = await mallory.make(1)
    const answer = await upload(fine!, Uint8Array.of(...honest, 0))
    expectProblem(answer, 422, 'undecodable')
    expect(answer.problem).toMatchObject({ list: 'key_packages', index: 1 })
    expect(await mallory.counts()).toEqual([])
  })

  test('for more than 16 KB: 413, and its place', async () => {
    const answer = await upload(honest, new Uint8Array(16 * 1024 + 1))
    expectProblem(answer, 413, 'too-large')
    expect(answer.problem).toMatchObject({ limit: 16 * 1024, detail: expect.stringContaining('key_packages.1') })
  })

  test('for a megabyte of cipher suites: 413 without looking at them', async () => {
    const answer = await upload(withCipherSuites(512 * 1024))
    expectProblem(answer, 413, 'too-large')
  })

  test('for a hundred KeyPackages with as many cipher suites as fit: 422', async () => {
    const answer = await upload(...Array.from({ length: 100 }, () => withCipherSuites(8_000)))
    expectProblem(answer, 422, 'undecodable')
  })

  test('for more than a hundred, none at all, or what is no bytes: 400', async () => {
    expectProblem(await upload(...Array.from({ length: 101 }, () => honest)), 400, 'invalid-request')
    expectProblem(await upload(), 400, 'invalid-request')
    for (const body of [
      {},
      [],
      null,
      { key_packages: 'AAAA' },
      { key_packages: [1] },
      { key_packages: ['*'] },
      { key_packages: [], surprise: [] },
    ]) {
      expectProblem(await send(body), 400, 'invalid-request')
    }
  })

  test('for a body cut short or of another type: 400 and 415', async () => {
    expectProblem(await send('{"key_packages":["AA'), 400, 'invalid-request')
    expectProblem(await send('<key_packages/>', 'text/xml'), 415, 'unsupported-media-type')
  })

  test('the honest one is still taken', async () => {
    expect((await upload(honest)).status).toBe(201)
  })
})
