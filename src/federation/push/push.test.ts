import { describe, expect, it } from '@jest/globals'
import type { Delivered } from './delivery.js'
import { Push } from './push.js'

/** A node whose runs last until the test ends them. */
function node(due: () => string[] = () => []) {
  const handlers = new Map<string, (data: { peer: string }) => Promise<void>>()
  const woken: string[] = []
  const ends: (() => void)[] = []
  const begun: string[] = []
  const jobs = {
    process: (name: string, handler: (data: { peer: string }) => Promise<void>) => void handlers.set(name, handler),
    every: () => undefined,
    enqueue: async (_name: string, { peer }: { peer: string }) => void woken.push(peer),
  }
  const run = (peer: string) => {
    begun.push(peer)
    return new Promise<Delivered>((resolve) => ends.push(() => resolve({ kind: 'level' })))
  }
  const circuits = { enter: async () => ({ lost: new AbortController().signal }), leave: async () => 0, due: async () => due() }
  const config = { FEDERATION: 'open', SWEEP_INTERVAL: 1_000 } as const
  const log = { error: () => undefined, warn: () => undefined }
  const push = new Push(config, jobs as never, { run } as never, circuits as never, log as never)
  push.onModuleInit()
  return { push, begun, woken, ends, begin: (peer: string) => handlers.get('federation.push_v1')!({ peer }) }
}
const settled = async (promise: Promise<unknown>) => {
  let done = false
  void promise.then(() => (done = true))
  await new Promise((resolve) => setImmediate(resolve))
  return done
}

describe('jobs that push', () => {
  it('end while their runs continue, so that slow peers keep no slot of the queue', async () => {
    const { begun, begin } = node()
    for (let peer = 0; peer < 64; peer++) expect(await settled(begin(`${peer}.example`))).toBe(true)
    expect(begun).toHaveLength(64)
  })

  it('wait once as many runs are under way as may be', async () => {
    const { begun, begin, ends } = node()
    for (let peer = 0; peer < 64; peer++) await begin(`${peer}.example`)
    const last = begin('last.example')
    expect(await settled(last)).toBe(false)
    ends[5]!()
    await last
    await settled(last)
    expect(begun.at(-1)).toBe('last.example')
  })

  it('pass no wake over while a run of the same peer ends', async () => {
    const { begun, begin } = node()
    await begin('b.example')
    await begin('b.example')
    await settled(Promise.resolve())
    expect(begun).toEqual(['b.example', 'b.example'])
  })

  it('are waited for when the process ends, and begin no more', async () => {
    const { push, begun, begin, ends } = node()
    await begin('b.example')
    await settled(Promise.resolve())
    const ended = push.beforeApplicationShutdown()
    expect(await settled(ended)).toBe(false)
    await begin('c.example')
    ends[0]!()
    await ended
    expect(begun).toEqual(['b.example'])
  })
})
