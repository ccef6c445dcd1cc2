import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { ACCESS_CHALLENGE } from '../../../src/platform/http/problem.js'
import { startServer, type TestServer } from '../../support/server.js'

const onPath = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'chromium'))
const chromium = onPath.find((file) => existsSync(file))
const describeWithChromium = chromium === undefined ? describe.skip : describe

let site: Server
let profile: string
const servers: TestServer[] = []
let reported: PromiseWithResolvers<unknown>

beforeAll(async () => {
  const page = await readFile(join(import.meta.dirname, 'page.mjs'))
  site = createServer((request, response) => {
    if (request.url === '/done') void text(request).then((body) => reported.resolve(JSON.parse(body)))
    if (request.url === '/page.mjs') return response.writeHead(200, { 'content-type': 'text/javascript' }).end(page)
    response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><script type="module" src="/page.mjs"></script>')
  }).listen(0, '127.0.0.1')
  await once(site, 'listening')
  profile = await mkdtemp(join(tmpdir(), 'microchat-browser-'))
})
afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()))
  site.closeAllConnections()
  site.close()
  await rm(profile, { recursive: true, force: true, maxRetries: 5 })
})

/** Opens the page in a browser of its own; @returns what the page found */
async function visit(origin: string, server: TestServer): Promise<unknown> {
  reported = Promise.withResolvers()
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', `--user-data-dir=${profile}`]
  const browser = spawn(chromium ?? '', [...flags, `${origin}/?server=${server.url}`], { stdio: 'ignore', detached: true })
  browser.once('exit', (code) => reported.reject(new Error(`Chromium ended with ${code}`)))
  try {
    return await reported.promise
  } finally {
    await end(browser)
  }
}

async function end(browser: ChildProcess): Promise<void> {
  if (browser.pid === undefined || browser.exitCode !== null) return
  const ended = once(browser, 'exit')
  process.kill(-browser.pid, 'SIGKILL')
  await ended
}

async function start(settings: Record<string, string> = {}): Promise<TestServer> {
  const server = await startServer({ ACCESS_TOKENS: 'bound', ...settings })
  servers.push(server)
  return server
}

const pageOrigin = () => `http://localhost:${(site.address() as AddressInfo).port}`

describeWithChromium('a page of another origin, in Chromium', () => {
  const WORKS = {
    statuses: [201, 201, 200, 200, 401, 404],
    problems: ['urn:microchat:problem:unauthenticated', 'urn:microchat:problem:not-found'],
    read: [ACCESS_CHALLENGE, true],
    stream: { protocol: 'microchat.v1', firstByte: expect.any(Number) },
  }

  it('registers with a WebCrypto key, logs in, posts, reads refusals and opens the stream', async () => {
    expect(await visit(pageOrigin(), await start())).toEqual(WORKS)
  })

  it('does so where its origin is listed', async () => {
    expect(await visit(pageOrigin(), await start({ CORS_ORIGINS: pageOrigin() }))).toEqual(WORKS)
  })

  it('can do nothing where it is not', async () => {
    expect(await visit(pageOrigin(), await start({ CORS_ORIGINS: 'https://chat.example.com' }))).toEqual({
      error: expect.stringContaining('Failed to fetch'),
    })
  })
})
