import { expect } from '@jest/globals'
import type { Client } from '../../examples/client/client.js'
import type { Entry } from '../../examples/client/entries.js'
import type { Group } from '../../examples/client/group.js'
import type { GroupRecord, Mode } from '../../examples/client/store.js'
import { toHex } from '../../examples/client/wire.js'
import { extendChain, initialChain } from '../../src/protocol/log-chain.js'
import { at, type World } from './world.js'

export interface RaceOptions {
  racers: number
  /** Devices that the racers add and remove. */
  guests: number
  groups: [Mode, number][]
}

/** 8 clients that all act at once on the same groups, and what must be true when they stop. */
export class Race {
  readonly racers: Client[] = []
  readonly guests: Client[] = []
  readonly groups: Group[] = []
  /** Texts that the server has accepted, by group. */
  readonly accepted = new Map<string, string[]>()
  actions = 0
  #busyGuests = new Set<string>()
  #watchers = new Set<() => void>()

  constructor(
    private readonly world: World,
    private readonly options: RaceOptions,
  ) {}

  async prepare(): Promise<void> {
    const names = (kind: string, count: number) => Array.from({ length: count }, (_, index) => `${kind}${index}`)
    this.racers.push(...(await this.world.cast(...names('racer', this.options.racers))))
    this.guests.push(...(await this.world.cast(...names('guest', this.options.guests))))
    const [creator, ...others] = this.racers
    if (!creator) throw new Error('A race needs racers')
    for (const [mode, suite] of this.options.groups) {
      const group = await this.world.group(creator, others, { mode, suite })
      this.groups.push(group)
      this.accepted.set(toHex(group.record.groupId), [])
    }
  }

  /** Everybody acts, one thing after the other, until `over`. */
  async run(over: () => boolean): Promise<void> {
    await Promise.all(
      this.racers.map(async (racer, lane) => {
        for (let round = 0; !over(); round++) {
          const group = this.groups[Math.floor(Math.random() * this.groups.length)]
          if (group) await this.#act(at(racer, group), `${lane}/${round}`)
          this.actions++
          for (const look of this.#watchers) look()
        }
      }),
    )
  }

  /** Resolves once `actions` more actions are done. */
  progress(actions: number): Promise<void> {
    const target = this.actions + actions
    return new Promise((resolve) => {
      const look = () => {
        if (this.actions < target) return
        this.#watchers.delete(look)
        resolve()
      }
      this.#watchers.add(look)
    })
  }

  async #act(group: Group, label: string): Promise<void> {
    const dice = Math.random()
    if (dice < 0.45) return group.update()
    if (dice < 0.85 || this.guests.length === 0) return this.#speak(group, label)
    return this.#invite(group)
  }

  async #speak(group: Group, label: string): Promise<void> {
    await group.send(label)
    this.accepted.get(toHex(group.record.groupId))?.push(label)
  }

  /** Adds a guest who is out or removes one who is in; one change of one guest at a time. */
  async #invite(group: Group): Promise<void> {
    const guest = this.guests[Math.floor(Math.random() * this.guests.length)]
    if (!guest) return
    const { groupId } = group.record
    const key = `${guest.uri} ${toHex(groupId)}`
    if (this.#busyGuests.has(key)) return
    this.#busyGuests.add(key)
    try {
      // A client that is behind may not know yet that the guest is in, or out, and would find nothing to do.
      await group.catchUp()
      if (guest.store.group(groupId)?.standing === 'member') {
        await group.remove(guest.uri)
        await guest.until('its removal', () => guest.store.group(groupId)?.standing !== 'member', 60_000)
      } else {
        await group.add(guest.user)
        await guest.until('joining', () => guest.store.group(groupId)?.standing === 'member', 60_000)
      }
    } finally {
      this.#busyGuests.delete(key)
    }
  }

  /** Everybody reads to the end, and then everything must fit together. */
  async check(): Promise<void> {
    for (const group of this.groups) {
      const log = await wholeLog(group)
      for (const client of this.#present(group)) {
        const { record } = at(client, group)
        const last = log.findLast((entry) => isFor(record, entry, log))?.seq ?? 0
        await client.until(`seq ${last}`, () => record.cursor >= last, 60_000)
      }
      this.#checkLog(group, log)
      this.#checkAgreement(group)
      this.#checkMessages(group, log)
      this.#checkGuests(group, log)
    }
  }

  #present(group: Group): Client[] {
    return [...this.racers, ...this.guests].filter((client) => client.store.group(group.record.groupId)?.standing === 'member')
  }

  /** Gapless, one Commit per epoch, and a hash chain that adds up. */
  #checkLog(group: Group, log: readonly Entry[]): void {
    expect(log.map((entry) => entry.seq)).toEqual(log.map((_, index) => index + 1))
    const commits = log.filter((entry) => entry.kind === 'commit').map((entry) => entry.epoch)
    expect(commits).toEqual(commits.map((_, index) => index))
    let chain = initialChain(group.record.groupId, group.record.incarnation)
    for (const entry of log) {
      chain = extendChain(chain, { seq: BigInt(entry.seq), kind: entry.kind, epoch: BigInt(entry.epoch), hash: entry.hash })
      expect(toHex(entry.chain)).toBe(toHex(chain))
    }
  }

  #checkAgreement(group: Group): void {
    const present = this.#present(group)
    expect(present).toEqual(expect.arrayContaining(this.racers))
    expect(new Set(present.map((client) => at(client, group).epochAuthenticator)).size).toBe(1)
    for (const client of present) expect(at(client, group).record.failures).toEqual([])
    expect(new Set(at(this.racers[0]!, group).members)).toEqual(new Set(present.map((client) => client.uri)))
  }

  /** What was accepted is in the log once, and every racer has read all of it once, in order. */
  #checkMessages(group: Group, log: readonly Entry[]): void {
    const seqs = log.filter((entry) => entry.kind === 'application').map((entry) => entry.seq)
    for (const racer of this.racers) {
      const { messages } = at(racer, group).record
      expect(messages.map((message) => message.seq)).toEqual(seqs)
      expect(messages.map((message) => message.text).sort()).toEqual([...(this.accepted.get(toHex(group.record.groupId)) ?? [])].sort())
    }
  }

  /** A guest has read exactly what lies within its memberships. */
  #checkGuests(group: Group, log: readonly Entry[]): void {
    const reference = new Map(at(this.racers[0]!, group).record.messages.map((message) => [message.seq, message.text]))
    for (const guest of this.guests) {
      expect(guest.lostWelcomes).toEqual([])
      const records = [...guest.former, ...guest.store.groups.values()].filter((record) => sameGroup(record, group))
      for (const record of records) {
        expect(record.failures).toEqual([])
        expect(record.messages.map((message) => [message.seq, message.text])).toEqual(
          visible(record, log).map((seq) => [seq, reference.get(seq)]),
        )
      }
    }
  }
}

function sameGroup(record: GroupRecord, group: Group): boolean {
  return toHex(record.groupId) === toHex(group.record.groupId)
}

/** Application entries behind the Commit that added the guest, of its epochs, up to the one that removed it. */
function visible(record: GroupRecord, log: readonly Entry[]): number[] {
  const mine = log.filter((entry) => entry.kind === 'application' && entry.seq <= record.cursor && isFor(record, entry, log))
  return mine.map((entry) => entry.seq)
}

/** A message of the epoch before one's own may come behind the Commit that added one: it is for the others. */
function isFor({ joinedAt }: GroupRecord, entry: Entry, log: readonly Entry[]): boolean {
  const joinEpoch = (log[joinedAt - 1]?.epoch ?? -1) + 1
  return entry.seq > joinedAt && (entry.kind !== 'application' || entry.epoch >= joinEpoch)
}

export async function wholeLog(group: Group): Promise<Entry[]> {
  const entries: Entry[] = []
  for (let from: number | undefined = 1; from !== undefined;) {
    const page: Awaited<ReturnType<Group['history']>> = await group.history(from)
    entries.push(...page.entries)
    from = page.entries.length > 0 ? page.next_seq : undefined
  }
  return entries
}

/** A number from the environment, for those who want to race longer. */
export function setting(name: string, fallback: number): number {
  return Number(process.env[name] ?? fallback)
}
