import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import type { Client } from '../../examples/client/client.js'
import { encodeFrame, type ClientFrame } from '../../src/protocol/frames.js'
import { createTestDatabase, type TestDatabase } from '../support/database.js'
import { spawnServer, type SpawnedServer } from '../support/server.js'
import { bareToken, GENEROUS, World } from '../support/world.js'

const FLOOD = fileURLToPath(new URL('flood.mjs', import.meta.url))
const SAMPLES = 300
const TRIES = 3
const MEASURED_MS = 10_000

let database: TestDatabase
let server: SpawnedServer
let world: World
/** p99 in milliseconds of the bystander's requests, before the attack. */
let undisturbed: number
let mallory: Client
let bystander: Client
const attackers: ChildProcess[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  server = await spawnServer(database.url, GENEROUS)
  world = new World(server.url)
  ;[mallory, bystander] = await world.cast('mallory', 'bystander')
  await mallory.disconnect()
  await p99OfRequests() // warms the server up
  undisturbed = await p99OfRequests()
})
afterEach(async () => {
  await Promise.all(attackers.splice(0).map(end))
})
afterAll(async () => {
  await world.disconnect()
  await server.stop('SIGTERM')
  await database.drop()
})

const encoded = (frame: ClientFrame) => Buffer.from(encodeFrame(frame)).toString('base64')
const numbers = (count: number) => Array.from({ length: count }, (_, index) => index)
const ATTACKS: [string, string][] = [
  ['acks of 1,000 groups', encoded({ t: 'ack', acks: numbers(1_000).map((seq) => ({ group_id: randomBytes(2), incarnation: 1, seq })) })],
  ['acks of 1,024 inbox items', encoded({ t: 'inbox-ack', ids: numbers(1_024) })],
  ['pings', encoded({ t: 'ping', n: 1 })],
  ['WebSocket pings', 'control'],
]

describe.each(ATTACKS)('a stream that floods with %s', (_what, frame) => {
  it('delays nobody else', async () => {
    let attacked = 0
    for (let attempt = 1; attempt <= TRIES; attempt++) {
      const attacker = await flood(frame)
      attacked = await p99OfRequests()
      expect(attacker.exitCode).toBeNull() // it went on all the time
      await end(attacker)
      if (attacked <= Math.max(3 * undisturbed, 50)) return
    }
    throw new Error(`p99 of a bystander: ${undisturbed.toFixed(1)} ms undisturbed, ${attacked.toFixed(1)} ms attacked`)
  })
})

it('a stream that never stops flooding is closed with 1008, and told so', async () => {
  const attacker = await flood(ATTACKS[0]![1])
  expect(await said(attacker, /closed (\d+)/)).toBe('1008')
  const metrics = await (await fetch(`${server.url}/metrics`)).text()
  expect(metrics).toMatch(/limits_refused_total\{limit="stream-[a-z]+"\} [1-9]/)
})

async function flood(frame: string): Promise<ChildProcess> {
  const token = await bareToken(mallory)
  const attacker = spawn(process.execPath, [FLOOD, server.wsUrl, token, frame], { stdio: ['pipe', 'pipe', 'inherit'] })
  attackers.push(attacker)
  expect(await said(attacker, /(open)/)).toBe('open')
  return attacker
}

async function end(attacker: ChildProcess): Promise<void> {
  const ended = attacker.exitCode === null && attacker.signalCode === null ? once(attacker, 'exit') : undefined
  attacker.stdin?.end()
  await ended
}

/** The first group of the first output that matches. */
function said(child: ChildProcess, pattern: RegExp): Promise<string | undefined> {
  return new Promise((resolve) => {
    let seen = ''
    child.stdout?.on('data', (chunk: Buffer) => {
      seen += chunk.toString()
      const match = pattern.exec(seen)
      if (match) resolve(match[1])
    })
    child.once('exit', () => resolve(undefined))
  })
}

/** The 99th percentile of requests sent one after the other. */
async function p99OfRequests(): Promise<number> {
  const times: number[] = []
  const deadline = performance.now() + MEASURED_MS
  while (times.length < SAMPLES && performance.now() < deadline) {
    const begun = performance.now()
    await bystander.device.http.get('/v1/groups?limit=1')
    times.push(performance.now() - begun)
  }
  return times.sort((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? 0
}
