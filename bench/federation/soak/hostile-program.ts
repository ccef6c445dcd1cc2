import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, fetch as fetchBy } from 'undici'
import { HostileProvider, type Victim } from '../../../test/federation/hostile/peer/hostile-provider.js'
import { ATTACKS, answering } from './attacks.js'
import type { Told } from './hostile-process.js'

/** Of each victim: what it allows a peer by default is 6,000 a minute. */
const REQUESTS_PER_SECOND = 100
/** Unanswered ones at a time, so that a victim that is slow is not asked more and more. */
const MOST_AT_ONCE = 50

/** Of its own: what is counted by address must not be counted against the honest providers, which share another one. */
const ADDRESS = '127.0.0.66'

/** Sends everything from that address, where the system has it (Linux does). */
async function useOwnAddress(): Promise<void> {
  const probe = createServer().listen(0, ADDRESS)
  const isThere = await once(probe, 'listening').then(
    () => true,
    () => false,
  )
  probe.close()
  if (!isThere) return console.error(`${ADDRESS} is not there: limits by address hold for all providers together`)
  const dispatcher = new Agent({ connect: { localAddress: ADDRESS } })
  const send = (...[input, init]: Parameters<typeof fetchBy>) => fetchBy(input, { ...init, dispatcher })
  globalThis.fetch = send as unknown as typeof globalThis.fetch
}

await useOwnAddress()

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

async function attack(victim: Victim, index: number): Promise<void> {
  const chosen = ATTACKS[index % ATTACKS.length]
  if (!chosen) return
  try {
    const { status, problem } = await chosen.run(provider, victim, index)
    count(chosen.name, `${status} ${problem ?? ''}`.trim())
  } catch {
    count(chosen.name, 'no answer')
  }
}

async function against(victim: Victim): Promise<void> {
  const open = new Set<Promise<void>>()
  const began = performance.now()
  for (let index = 0; running; index++) {
    await sleep(Math.max(0, began + (index * 1_000) / REQUESTS_PER_SECOND - performance.now()))
    if (open.size >= MOST_AT_ONCE) await Promise.race(open)
    const begun = attack(victim, index).finally(() => open.delete(begun))
    open.add(begun)
  }
  await Promise.all(open)
}

process.on('message', (message: 'stop' | { domain: string; url: string }[]) => {
  if (message === 'stop') void stop()
  else loops.push(...message.map(({ domain, url }) => against({ domain, url, proxy: { url } })))
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
