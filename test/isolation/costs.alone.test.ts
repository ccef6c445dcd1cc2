import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import bareFastify from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { FastifyInstance } from 'fastify'
import { ClientFrame } from '../../src/protocol/frames.js'
import { startServer, type TestServer } from '../support/server.js'
import { allowance } from './costs/piece.js'
import { PIECES } from './costs/pieces.js'
import { FRAMES, ROUTES } from './costs/routes.js'
import { verificationMs, watchLoop } from './costs/watch-loop.js'

let server: TestServer
let unit: number
beforeAll(async () => {
  // What judges the answers in tests would be measured, too.
  server = await startServer({ FEDERATION: 'open' }, { undocumented: true })
  unit = await verificationMs()
})
afterAll(() => server.close())

const fastify = (): FastifyInstance => server.app.getHttpAdapter().getInstance()

/** `GET /v1/groups`, … from the tree that Fastify prints; HEAD is as GET. */
function routesOf(printed: string): string[] {
  const prefixes: string[] = []
  return printed.split('\n').flatMap((line) => {
    const [, indent = '', path = '', methods = ''] = /^([│ ]*)[├└]── (\S+)(?: \((.*)\))?$/.exec(line) ?? []
    if (path === '') return []
    const depth = indent.length / 4
    prefixes.splice(depth, prefixes.length, path)
    const of = methods.split(', ').filter((method) => method !== '' && method !== 'HEAD')
    return of.map((method) => `${method} ${prefixes.join('')}`)
  })
}

/** In a process of its own, as the server would be: the sandbox here makes everything slow. By name, in checks of a signature. */
async function measured(): Promise<Map<string, number>> {
  const bench = join(import.meta.dirname, '../../dist/bench/costs.js')
  const { stdout } = await promisify(execFile)(process.execPath, [bench, '--json'], { maxBuffer: 1024 * 1024 })
  return new Map(JSON.parse(stdout) as [string, number][])
}

describe('the list of what costs more than a millisecond', () => {
  it('knows every route: say of a new one which pieces it leads to, or that it is cheap', () => {
    const routes = routesOf(fastify().printRoutes({ commonPrefix: false, includeHooks: false }))
    expect(routes.length).toBeGreaterThan(80)
    expect(routes.toSorted()).toEqual(Object.keys(ROUTES).toSorted())
  })

  it('knows every frame of a client', () => {
    const frames = ClientFrame.options.map(({ shape }) => shape.t.value)
    expect(frames.toSorted()).toEqual(Object.keys(FRAMES).toSorted())
  })

  it('has each piece once, each used, with a reason for what takes longer than a millisecond', () => {
    const names = PIECES.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    const used = [...Object.values(ROUTES), ...Object.values(FRAMES)].flatMap((costs) => (typeof costs === 'string' ? [] : costs))
    expect([...new Set(used)].toSorted()).toEqual(names.toSorted())
    expect(PIECES.filter(({ allowed, because }) => (allowed === undefined) !== (because === undefined))).toEqual([])
  })
})

describe('at its largest', () => {
  it('nothing takes the event loop longer than it is allowed', async () => {
    const costs = await measured()
    expect([...costs.keys()]).toEqual(PIECES.map(({ name }) => name))
    const above = PIECES.filter((piece) => !((costs.get(piece.name) ?? Number.NaN) < allowance(piece)))
    expect(above.map(({ name }) => [name, costs.get(name)])).toEqual([])
  })

  it('a public document is not made again for each reader', async () => {
    const readable = Object.keys(ROUTES).filter((route) => /^GET \/(?!v1\/)[^:*]*$/.test(route))
    // The cost of any request, and of handing that many bytes to the test, does not count.
    const bare = bareFastify()
    let bytes = Buffer.alloc(0)
    bare.get('/', async () => bytes)
    const costs: Record<string, number> = {}
    for (const route of readable) {
      const url = route.slice('GET '.length)
      bytes = Buffer.alloc((await fastify().inject({ method: 'GET', url })).rawPayload.length)
      const { loop } = await watchLoop(() => fastify().inject({ method: 'GET', url }), 1)
      const { loop: asked } = await watchLoop(() => bare.inject({ method: 'GET', url: '/' }), 1)
      costs[route] = (loop - asked) / unit
    }
    await bare.close()
    expect(readable.length).toBeGreaterThan(10)
    const slow = Object.entries(costs).filter(([route, cost]) => cost > (EXCEPTIONS[route] ?? READABLE))
    expect(slow).toEqual([])
  })
})

/** In checks of a signature, here in Jest's sandbox: far more than any takes, and half of what it took to write the description out. */
const READABLE = 150
const EXCEPTIONS: Readonly<Record<string, number>> = {
  // As many series as there are routes; a proxy keeps it to the operator.
  'GET /metrics': 300,
}

describe('this measure', () => {
  it.each(['event loop', 'worker thread'] as const)('finds what holds the loop, wherever it says that it is done: %s', async (place) => {
    const allowed = allowance({ name: '', place, bounded: '', make: () => Promise.reject(new Error()) })
    const busy = () => {
      const end = process.threadCpuUsage().user + 1_000 * unit * 3 * allowed
      while (process.threadCpuUsage().user < end);
    }
    const { loop, stretch } = await watchLoop(async () => busy(), 3)
    expect((place === 'event loop' ? loop : stretch) / unit).toBeGreaterThan(allowed)
  })
})
