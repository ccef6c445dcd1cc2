import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from '../../../examples/client/client.js'
import type { Group } from '../../../examples/client/group.js'
import { ServerProblem } from '../../../examples/client/http.js'
import { utf8 } from '../../../examples/client/wire.js'
import type { SoakProvider } from './providers.js'

/** A message each so often, from each member in turn. Below what a device may post by default. */
const MESSAGE_MS = 250
/** A Commit each so often. */
const COMMIT_MS = 10_000
/** A read of each server's API each so often. */
const READ_MS = 200

/** Milliseconds, of what ended within one phase. */
export interface Samples {
  /** Of `performance.now()`. */
  readonly since: number
  /** From the time for which a message was planned until a member of another provider has read it. */
  readonly delivered: Delivery[]
  /** From the time for which it was planned until a Commit was accepted. */
  readonly committed: number[]
  /** A request of a user that touches no peer. */
  readonly read: number[]
  /** Requests that failed, by how. */
  readonly failed: Map<string, number>
}

export interface Delivery {
  /** Of `performance.now()`. */
  readonly planned: number
  readonly from: string
  readonly to: string
  readonly ms: number
}

interface Member {
  readonly client: Client
  readonly domain: string
  /** Messages that this member has still to read, with who waits for it. */
  readonly awaited: Map<string, (at: number) => void>
  seen: number
}

/** Users of each provider in one room of the first, who chat, commit and read as planned, whether or not the servers keep up. */
export class HonestLoad {
  samples: Samples = noSamples()
  private running = true
  private readonly loops: Promise<void>[] = []
  private readonly open = new Set<Promise<void>>()

  private constructor(
    private readonly members: readonly Member[],
    private readonly groupId: Uint8Array,
  ) {}

  static async start(providers: readonly SoakProvider[]): Promise<HonestLoad> {
    const members: Member[] = []
    for (const [index, provider] of providers.entries()) members.push(await member(provider, `user${index}`))
    const [first, ...others] = members
    if (!first) throw new Error('There is no provider')
    const groupId = utf8('soak')
    const group = await first.client.createGroup({ groupId, mode: 'public' })
    await group.add(...others.map(({ client }) => client.user))
    for (const { client } of others) await client.until('joining', () => client.store.group(groupId)?.standing === 'member')
    const load = new HonestLoad(members, groupId)
    load.begin()
    return load
  }

  /** @returns what was measured since the last time */
  take(): Samples {
    const { samples } = this
    this.samples = noSamples()
    return samples
  }

  /** Waits for what is on the way. @throws if a member has not read each message once and in the same order as all others */
  async stop(): Promise<void> {
    this.running = false
    await Promise.all(this.loops)
    await Promise.all(this.open)
    const ends = () => this.members.map((one) => this.groupOf(one).record.messages.at(-1)?.seq ?? 0)
    const last = Math.max(...ends())
    for (const one of this.members)
      await one.client.until('the last message', () => (this.groupOf(one).record.messages.at(-1)?.seq ?? 0) >= last)
    const wrong = disagreement(this.members.map((one) => this.groupOf(one).record.messages))
    if (wrong !== undefined) throw new Error(wrong)
    await Promise.all(this.members.map(({ client }) => client.disconnect()))
  }

  private begin(): void {
    for (const one of this.members) {
      void this.listen(one)
      this.loops.push(this.every(READ_MS, (planned) => this.read(one, planned)))
    }
    let turn = 0
    const next = (): Member => {
      const [found = this.members[0]] = [this.members[turn++ % this.members.length]]
      if (!found) throw new Error('There is no member')
      return found
    }
    this.loops.push(this.every(MESSAGE_MS, (planned, index) => this.say(next(), `${index}`, planned)))
    this.loops.push(this.every(COMMIT_MS, (planned) => this.commit(next(), planned)))
  }

  /** An open loop: what is late does not delay what comes after it, so that no stall hides. */
  private async every(ms: number, work: (planned: number, index: number) => Promise<void>): Promise<void> {
    const began = performance.now()
    for (let index = 1; this.running; index++) {
      const planned = began + index * ms
      await sleep(Math.max(0, planned - performance.now()))
      const begun = work(planned, index)
        .catch((error: unknown) => this.noteFailure(error))
        .finally(() => this.open.delete(begun))
      this.open.add(begun)
    }
  }

  private noteFailure(error: unknown): void {
    const how = error instanceof ServerProblem ? `${error.status} ${error.kind}` : String(error).slice(0, 80)
    this.samples.failed.set(how, (this.samples.failed.get(how) ?? 0) + 1)
  }

  private async say(sender: Member, text: string, planned: number): Promise<void> {
    const { samples } = this
    const readers = this.members.filter((one) => one.domain !== sender.domain)
    const arrivals = readers.map(
      ({ awaited, domain: to }) =>
        new Promise<Delivery>((resolve) => {
          awaited.set(text, (at) => resolve({ planned, from: sender.domain, to, ms: at - planned }))
        }),
    )
    try {
      await this.groupOf(sender).send(text)
    } catch (error) {
      for (const { awaited } of readers) awaited.delete(text)
      throw error
    }
    samples.delivered.push(...(await Promise.all(arrivals)))
  }

  private async commit(one: Member, planned: number): Promise<void> {
    const { samples } = this
    await this.groupOf(one).update()
    samples.committed.push(performance.now() - planned)
  }

  private async read({ client }: Member, planned: number): Promise<void> {
    const { samples } = this
    await client.device.http.get(this.groupPath(client))
    samples.read.push(performance.now() - planned)
  }

  private async listen(one: Member): Promise<void> {
    const group = this.groupOf(one)
    while (this.running || this.open.size > 0) {
      await one.client.until('a message', () => group.texts.length > one.seen, 1_000).catch(() => undefined)
      const at = performance.now()
      for (const text of group.texts.slice(one.seen)) {
        one.awaited.get(text)?.(at)
        one.awaited.delete(text)
      }
      one.seen = group.texts.length
    }
  }

  private groupPath(client: Client): string {
    return client.group(this.groupId).path
  }

  private groupOf({ client }: Member): Group {
    return client.group(this.groupId)
  }
}

async function member({ url, domain }: SoakProvider, user: string): Promise<Member> {
  const client = await Client.create({ baseUrl: url, domain, user, device: 'phone', suites: [1] })
  await client.device.register()
  await client.device.publishKeyPackages(5)
  client.connect()
  return { client, domain, awaited: new Map(), seen: 0 }
}

function noSamples(): Samples {
  return { since: performance.now(), delivered: [], committed: [], read: [], failed: new Map() }
}

interface Read {
  readonly seq: number
  readonly text: string
}

/** Who joined later begins later; from there on all have to have read the same, each message once. @returns what is wrong */
function disagreement(readings: readonly (readonly Read[])[]): string | undefined {
  const begins = Math.max(...readings.map((read) => Math.min(...read.map(({ seq }) => seq))))
  const [first, ...others] = readings.map((read) => read.filter(({ seq }) => seq >= begins).map(({ seq, text }) => `${seq} ${text}`))
  if (!first) return 'Nobody has read anything'
  if (new Set(first).size !== first.length) return 'A member has read a message twice'
  const sorted = first.toSorted().join('\n')
  const other = others.find((one) => one.toSorted().join('\n') !== sorted)
  return other && `Members have read different messages: ${first.length} and ${other.length}`
}
