import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe } from '@jest/globals'
import { Redis } from 'ioredis'

/** TEST_REDIS_URL, or a redis-server on the PATH. */
export const hasRedis = Boolean(process.env['TEST_REDIS_URL']) || spawnSync('redis-server', ['--version']).status === 0

/** Skipped, by name, where there is no Redis. */
export const describeWithRedis = hasRedis ? describe : describe.skip

export interface TestRedis {
  url: string
  /** A client for looking and meddling. */
  client: Redis
  /** SIGSTOP and SIGCONT: there, but silent. Only for a server of our own. */
  pause(): void
  resume(): void
  stop(): Promise<void>
}

/** A Redis for one test file: an own process on a free port, or an emptied database of TEST_REDIS_URL. */
export async function startRedis(): Promise<TestRedis> {
  const given = process.env['TEST_REDIS_URL']
  if (given) return useRedis(given)
  const folder = await mkdtemp(join(tmpdir(), 'microchat-redis-'))
  const port = await freePort()
  const settings = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--appendonly',
    'no',
    '--dir',
    folder,
    '--maxmemory-policy',
    'noeviction',
  ]
  const server = spawn('redis-server', settings, { stdio: ['ignore', 'pipe', 'ignore'] })
  await ready(server)
  const client = new Redis(`redis://127.0.0.1:${port}`)
  client.on('error', () => undefined)
  return {
    url: `redis://127.0.0.1:${port}`,
    client,
    pause: () => void server.kill('SIGSTOP'),
    resume: () => void server.kill('SIGCONT'),
    stop: async () => {
      client.disconnect()
      if (server.exitCode === null && server.signalCode === null) {
        server.kill('SIGKILL')
        await once(server, 'exit')
      }
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function useRedis(url: string): Promise<TestRedis> {
  const client = new Redis(url)
  await client.flushdb()
  const impossible = () => {
    throw new Error('Only a redis-server of our own can be paused')
  }
  return { url, client, pause: impossible, resume: impossible, stop: async () => client.disconnect() }
}

async function ready(server: ChildProcess): Promise<void> {
  for await (const chunk of server.stdout ?? []) if (String(chunk).includes('Ready to accept connections')) break
  server.stdout?.resume()
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  await once(probe, 'close')
  return port
}
