import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { HostileProvider, type Victim } from '../../../test/federation/hostile/peer/hostile-provider.js'
import { ATTACKS, answering, type Attack } from './attacks.js'
import { REQUESTS_PER_MINUTE } from './providers.js'
import type { Told } from './hostile-process.js'

/** Unanswered ones at a time, so that a victim that is slow is not asked more and more. */
const MOST_AT_ONCE = 50

/**
 * Its own addresses: what is counted by address must not be counted against the honest providers, which share another one, nor what it cannot sign
 * against what it can.
 */
const ADDRESSES = { verified: '127.0.0.66', unverified: '127.0.0.67' }

/** Where the system has the address (Linux does). */
async function agentFrom(address: string): Promise<Agent> {
  const probe = createServer().listen(0, address)
  const isThere = await once(probe, 'listening').then(
    () => true,
    () => false,
  )
  probe.close()
  if (!isThere) console.error(`${address} is not there: limits by address hold for all providers together`)
  return new Agent(isThere ? { localAddress: address } : {})
}

const agents = { verified: await agentFrom(ADDRESSES.verified), unverified: await agentFrom(ADDRESSES.unverified) }
/** By which a request goes out; what the provider asks without an attack goes by the first. */
const agent = new AsyncLocalStorage<Agent>()
/** As much of `fetch` as the provider uses, at half of the time: it shares the processors with its victims. */
async function send(url: string, init: { method?: string; headers?: Record<string, string>; body?: Uint8Array } = {}) {
  const { statusCode, headers, body } = await request(url, { ...init, dispatcher: agent.getStore() ?? agents.verified })
  return { status: statusCode, headers: { get: (name: string) => headers[name] ?? null }, arrayBuffer: () => body.arrayBuffer() }
}
globalThis.fetch = send as unknown as typeof globalThis.fetch

/** The program of the hostile provider's process: its parent names its victims, and it attacks until its parent stops it. */
const provider = await new HostileProvider(process.argv[2] ?? '').listen()
provider.answering = answering
const counts = new Map<string, Map<string, number>>()
let running = true
const loops: Promise<void>[] = []

function count(attack: string, outcome: string): void {
  const outcomes = counts.get(attack) ?? new Map<string, number>()
  counts.set(attack, outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1))
}

/** @returns milliseconds for which the victim wants to hear no more of this kind: the provider takes what it is allowed, and no refusals beyond */
async function run(attack: Attack, victim: Victim, index: number): Promise<number> {
  try {
    const { status, problem, retryAfter } = await agent.run(agents[attack.isUnverified ? 'unverified' : 'verified'], () =>
      attack.run(provider, victim, index),
    )
    count(attack.name, `${status} ${problem ?? ''}`.trim())
    return status === 429 || status === 503 ? Number(retryAfter ?? 1) * 1_000 : 0
  } catch {
    count(attack.name, 'no answer')
    return 0
  }
}

/** All attacks in turn, but for those that have to wait. @param first where they begin: the victims share a machine, and do not meet the same at the same moment */
async function against(victim: Victim, first: number): Promise<void> {
  const open = new Set<Promise<void>>()
  const kinds = ATTACKS.map((attack) => ({ attack, from: 0 }))
  let next = performance.now()
  for (let index = first; running; index++) {
    const now = performance.now()
    const kind = kinds[index % kinds.length]
    if (!kind || kind.from > now) {
      // After a whole round of waiting kinds some time has to pass.
      if (index % kinds.length === 0) await sleep(10)
      continue
    }
    next = Math.max(next, now - 1_000) + 1_000 / (REQUESTS_PER_MINUTE / 60)
    await sleep(Math.max(0, next - now))
    if (open.size >= MOST_AT_ONCE) await Promise.race(open)
    const begun = run(kind.attack, victim, index).then((wait) => {
      open.delete(begun)
      if (wait > 0) kind.from = performance.now() + wait
    })
    open.add(begun)
  }
  await Promise.all(open)
}

process.on('message', (message: 'stop' | { domain: string; url: string }[]) => {
  if (message === 'stop') void stop()
  else loops.push(...message.map(({ domain, url }, index) => against({ domain, url, proxy: { url } }, index * 8)))
})
process.on('disconnect', () => process.exit(1))

async function stop(): Promise<void> {
  running = false
  await Promise.all(loops)
  await provider.close()
  const outcomes = [...counts].map(([name, found]) => ({
    attack: name,
    answers: [...found].map(([outcome, times]) => `${times} × ${outcome}`).join(', '),
  }))
  const told: Told = { outcomes }
  process.send?.(told, () => process.exit(0))
}

const begun: Told = { url: provider.url }
process.send?.(begun)
