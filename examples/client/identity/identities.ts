import { NoAnswer, ServerProblem, type Http } from '../http.js'
import { DAY, hashAt, numberOf, overdue, readHead, readList, same, supersedes, type VerifiedList } from './list.js'
import { IdentityRefused } from './refused.js'
import { decodeEntry, hashOf, type ListHead } from './structures.js'
import { NotDecodable } from '../mls/tls.js'

/** What a client keeps of a user: the newest list that it has verified, and what it was shown and did not believe. */
export interface Pin {
  user: string
  entries: Uint8Array[]
  head: Uint8Array
  /** When the server was last asked; seconds. */
  askedAt: number
  /** How far the own user has seen the own list. */
  seen?: number
  /** Where this client has met the user last: the user's provider may tell its own by it. */
  group?: Uint8Array
  trouble?: Trouble
  /** Another identity than the one that is kept, whole and verified, until the user accepts it. */
  offered?: { entries: Uint8Array[]; head: Uint8Array }
}

export interface Trouble {
  reason: 'rolled-back' | 'forked' | 'withheld' | 'identity-changed' | 'no-list' | 'invalid'
  rule?: string
  evidence: Uint8Array[]
  /** `withheld`: of the last entry that a leaf knows. */
  number?: number
}

/** A pin as it is read. */
export interface Known {
  list: VerifiedList
  head: ListHead
  trouble: Trouble | undefined
}

interface ListAnswer {
  number: number
  entries: Uint8Array[]
  head: Uint8Array
}

/** The device lists of users: fetched, verified, compared with what is kept (docs/identity.md §5). */
export class Identities {
  readonly #read = new WeakMap<Pin, Omit<Known, 'trouble'>>()

  constructor(
    private readonly http: Http,
    /** By user URI. */
    readonly pins: Map<string, Pin>,
    /** Seconds since 1970. */
    readonly now: () => number = () => Math.floor(Date.now() / 1000),
  ) {}

  get time(): bigint {
    return BigInt(this.now())
  }

  /** What is kept of a user; nobody is asked. */
  kept(user: string): Known | undefined {
    const pin = this.pins.get(user)
    return pin && this.#verified(pin)
  }

  /**
   * The list of a user, asked for if nothing is kept, if what is kept was asked for a day ago, has expired, or ends before entry `atLeast`.
   * What the server shows besides that is not believed stands in `trouble`.
   * @param wish `group`: id of a group that the user is in, if there is one
   * @returns undefined for a user without a list
   * @throws IdentityRefused if nothing is kept, and what the server shows is not believed
   */
  async of(
    user: string,
    { atLeast = 0, fresh = false, group }: { atLeast?: number; fresh?: boolean; group?: Uint8Array | undefined } = {},
  ): Promise<Known | undefined> {
    const pin = this.pins.get(user)
    if (pin && group) pin.group = group
    const kept = this.kept(user)
    const old = this.now() - (pin?.askedAt ?? 0) >= Number(DAY)
    const enough = kept && !fresh && !old && numberOf(kept.list) >= atLeast && overdue(kept.head, this.time) < 0n
    if (enough) return kept
    try {
      await this.#ask(user, group)
    } catch (error) {
      // Without the server there is what is kept, for as long as its head is good.
      if (!kept || !(error instanceof NoAnswer || (error instanceof ServerProblem && error.status >= 500))) throw error
    }
    return this.kept(user)
  }

  /** A list from another hand than the server's, such as that of the device which enrols this one. @throws IdentityRefused */
  take(user: string, entries: readonly Uint8Array[], head: Uint8Array): Known {
    const list = readList(user, entries, this.time)
    readHead(list, head, this.time)
    const { seen, group } = this.pins.get(user) ?? {}
    const met = group ? { group } : {}
    return this.#keep({ user, entries: [...entries], head, askedAt: this.now(), ...met, ...(seen === undefined ? {} : { seen }) })
  }

  /** The user of this client accepts that somebody has a new identity. */
  accept(user: string): Known {
    const pin = this.pins.get(user)
    if (!pin?.offered) throw new Error(`${user} has no other identity to accept`)
    return this.take(user, pin.offered.entries, pin.offered.head)
  }

  /** The whole list as the server shows it, read and not kept. @throws IdentityRefused */
  async shown(user: string): Promise<VerifiedList | undefined> {
    const answer = await this.#fetch(user, 1)
    return answer && readList(user, answer.entries, this.time)
  }

  /** What a leaf, or the user, has found out. It stays until a list continues the one that is kept. */
  note(user: string, trouble: Trouble): void {
    const pin = this.pins.get(user)
    if (pin) pin.trouble = trouble
  }

  async #ask(user: string, group: Uint8Array | undefined): Promise<void> {
    const pin = this.pins.get(user)
    if (!pin) {
      const answer = await this.#fetch(user, 1, group)
      if (answer) this.take(user, answer.entries, answer.head)
      const taken = this.pins.get(user)
      if (taken && group) taken.group = group
      return
    }
    const trouble = await this.#compare(pin, this.#verified(pin))
    if (trouble) pin.trouble = trouble
    // A branch that was shown, and entries that a leaf knows of, are not forgotten until the list goes on.
    else if (pin.trouble && !['forked', 'withheld'].includes(pin.trouble.reason)) delete pin.trouble
  }

  /** @returns what is wrong with what the server shows, if anything is */
  async #compare(pin: Pin, kept: Known): Promise<Trouble | undefined> {
    const last = numberOf(kept.list)
    // From the last entry that is kept, to see that it is still the same one.
    const answer = await this.#fetch(pin.user, last)
    // Meanwhile this device, or another question, has brought something newer.
    if (this.pins.get(pin.user) !== pin) return this.pins.get(pin.user)?.trouble
    pin.askedAt = this.now()
    if (!answer) return { reason: 'no-list', evidence: [] }
    try {
      const [shown, ...newer] = answer.entries
      const continues = shown !== undefined && same(hashOf(decodeEntry(shown)), hashAt(kept.list, last))
      if (!continues) return await this.#compareWhole(pin, kept.list)
      const list = readList(pin.user, newer, this.time, kept.list)
      const head = readHead(list, answer.head, this.time)
      if (supersedes(head, kept.head)) this.#keep({ ...pin, entries: [...pin.entries, ...newer], head: answer.head })
      return undefined
    } catch (error) {
      return disbelieved(error, [...answer.entries, answer.head])
    }
  }

  /** What is shown does not go on from what is kept: it is shorter, another history of the same identity, or another identity. */
  async #compareWhole(pin: Pin, kept: VerifiedList): Promise<Trouble> {
    const answer = await this.#fetch(pin.user, 1)
    if (!answer) return { reason: 'no-list', evidence: [] }
    const { entries, head } = answer
    const list = readList(pin.user, entries, this.time)
    readHead(list, head, this.time)
    if (!same(list.identity, kept.identity)) {
      pin.offered = { entries, head }
      return { reason: 'identity-changed', evidence: [] }
    }
    const shared = Math.min(numberOf(list), numberOf(kept))
    return { reason: same(hashAt(list, shared), hashAt(kept, shared)) ? 'rolled-back' : 'forked', evidence: entries }
  }

  #keep(pin: Pin): Known {
    const { trouble, offered: _, ...kept } = pin
    const goesOn = !(trouble?.reason === 'withheld' && kept.entries.length < (trouble.number ?? 0))
    this.pins.set(pin.user, goesOn || !trouble ? kept : Object.assign(kept, { trouble }))
    return this.#verified(kept)
  }

  /** Reads what is kept once: it was verified before it was kept. */
  #verified(pin: Pin): Known {
    const read = this.#read.get(pin) ?? this.#readAgain(pin)
    this.#read.set(pin, read)
    return { ...read, trouble: pin.trouble }
  }

  /** By the time that it was asked for: what expired since then is for others to ask. */
  #readAgain({ user, entries, head, askedAt }: Pin): Omit<Known, 'trouble'> {
    const list = readList(user, entries, BigInt(askedAt))
    return { list, head: readHead(list, head, BigInt(askedAt)) }
  }

  async #fetch(user: string, from: number, group = this.pins.get(user)?.group): Promise<ListAnswer | undefined> {
    try {
      const where = group ? `&group=${Buffer.from(group).toString('base64url')}` : ''
      return await this.http.get<ListAnswer>(`/v1/device-lists?user=${encodeURIComponent(user)}&from=${from}${where}`)
    } catch (error) {
      if (error instanceof ServerProblem && error.status === 404) return undefined
      throw error
    }
  }
}

function disbelieved(error: unknown, evidence: Uint8Array[]): Trouble {
  if (error instanceof IdentityRefused) return { reason: 'invalid', evidence, ...(error.rule === undefined ? {} : { rule: error.rule }) }
  if (error instanceof NotDecodable) return { reason: 'invalid', evidence, rule: 'entry-encoding' }
  throw error
}
