import { randomBytes } from 'node:crypto'
import type { Mode } from '../../examples/client/store.js'
import { utf8 } from '../../examples/client/wire.js'
import type { Identities, IdentityKind, Participant, Policy, StackName, View } from './participant.js'
import { RustParticipant } from './rust-participant.js'
import { TsParticipant } from './ts-participant.js'

let serial = 0

const newName = (stack: StackName) => `${stack}-${++serial}-${randomBytes(4).toString('hex')}`
const nameOf = ({ user }: Participant) => user.split('/').at(-1) ?? ''

/** Devices of several stacks around one group of one server. */
export class Room {
  readonly groupId = utf8(`interop-${randomBytes(6).toString('hex')}`)
  readonly #all: Participant[] = []
  /** Those that are in the group now. */
  readonly present = new Set<Participant>()
  /** Those whom others removed: they come back by an invitation only. */
  readonly outcasts = new Set<Participant>()

  constructor(
    readonly url: string,
    readonly mode: Mode,
    readonly suite: number,
    readonly identities: Identities = 'any',
  ) {}

  /** A device with keys that the server does not know. */
  async unknown(stack: StackName): Promise<Participant> {
    return this.#start(stack, { user: newName(stack), device: 'phone' })
  }

  /** One that the server knows nothing of, in the name of another's user. */
  ghost(stack: StackName, victim: Participant): Promise<RustParticipant> {
    return this.#rust(stack, { user: nameOf(victim), device: 'ghost', identity: 'carried' })
  }

  /** With a certificate in its user's list, which its leaves do not carry. Registered, with KeyPackages, its stream open. */
  async plain(stack: StackName): Promise<Participant> {
    const made = await this.#rust(stack, { user: newName(stack), device: 'plain', identity: 'listed' })
    await this.#publish(made, 3)
    return made
  }

  /** Registered, with KeyPackages, its stream open. */
  async device(stack: StackName, keyPackages = 3): Promise<Participant> {
    const made = await this.unknown(stack)
    await this.#publish(made, keyPackages)
    return made
  }

  /** Another device of a user. */
  async secondDevice(stack: StackName, first: Participant): Promise<Participant> {
    const made = await this.#start(stack, { user: nameOf(first), device: `second-${++serial}` })
    await made.enrol(first)
    await made.listen()
    return made
  }

  async found(creator: Participant, policy: Policy = { external_join: 'open' }): Promise<void> {
    const identities = this.identities === 'any' ? {} : { identities: 'certified' as const }
    await creator.create(this.groupId, this.mode, { ...policy, ...identities }, this.identities === 'required')
    this.present.add(creator)
  }

  async add(adder: Participant, ...others: Participant[]): Promise<void> {
    await adder.add(
      this.groupId,
      others.map(({ user }) => user),
    )
    for (const other of others) {
      await other.until(this.groupId, 'joined')
      this.present.add(other)
      this.outcasts.delete(other)
    }
    await this.agree()
  }

  async remove(remover: Participant, ...others: Participant[]): Promise<void> {
    for (const other of others) {
      this.present.delete(other)
      this.outcasts.add(other)
    }
    await remover.remove(
      this.groupId,
      others.map(({ client }) => client),
    )
    await this.agree()
    await this.out(...others)
  }

  /** A removed device learns that it is out. */
  async out(...others: Participant[]): Promise<void> {
    for (const other of others) {
      const { standing } = await other.until(this.groupId, Number.MAX_SAFE_INTEGER)
      if (standing !== 'removed') throw new Error(`${other.client} is ${standing}, not removed`)
    }
  }

  async joinExternally(joiner: Participant, options: { resync?: boolean; code?: string } = {}): Promise<void> {
    await joiner.joinExternally(this.groupId, this.mode, options)
    this.present.add(joiner)
    await this.agree()
  }

  /** Everybody has read everything, and is in the same epoch with the same secrets and the same members (RFC 9420 §8.7). */
  async agree(): Promise<View> {
    const [first, ...others] = this.present
    if (!first) throw new Error('Nobody is there')
    const head = await this.#head()
    const expected = await this.#whole(first, head)
    for (const other of others) {
      const view = await this.#whole(other, head)
      const same = view.epoch === expected.epoch && view.authenticator === expected.authenticator
      if (!same) throw new Error(`${other.client} is in another epoch ${view.epoch} than ${first.client} in ${expected.epoch}`)
      if (view.members.toSorted().join() !== expected.members.toSorted().join()) throw new Error(`${other.client} sees other members`)
    }
    return expected
  }

  /** A device whose Welcome the server has not yet seen acknowledged is shown no log (docs/asyncapi.yaml), but may have committed. */
  async #head(): Promise<number> {
    const seen = [...this.present].map(async (one) => Math.max(await one.head(this.groupId), (await one.view(this.groupId)).cursor))
    return Math.max(...(await Promise.all(seen)))
  }

  async #whole(participant: Participant, head: number): Promise<View> {
    const view = await participant.until(this.groupId, head)
    if (view.standing !== 'member') throw new Error(`${participant.client} is ${view.standing}: ${view.failures.join('; ')}`)
    if (view.failures.length > 0) throw new Error(`${participant.client} could not read ${view.failures.join('; ')}`)
    return view
  }

  /** All but the sender have read it, and know from whom. */
  async say(sender: Participant, words: string): Promise<void> {
    const text = `${words} (${++serial})`
    await sender.send(this.groupId, text)
    await this.agree()
    for (const other of this.present) {
      if (other === sender) continue
      const last = (await other.view(this.groupId)).texts.at(-1)
      if (last?.text !== text || last.from !== sender.client) throw new Error(`${other.client} read ${JSON.stringify(last)}, not ${text}`)
    }
  }

  async #start(stack: StackName, name: { user: string; device: string }): Promise<Participant> {
    const certified = this.identities !== 'any'
    if (stack !== 'ts-mls') return this.#rust(stack, { ...name, identity: certified ? 'carried' : 'none' })
    const made = await TsParticipant.start(this.suite, this.url, { ...name, identity: certified })
    this.#all.push(made)
    return made
  }

  async #rust(stack: StackName, name: { user: string; device: string; identity: IdentityKind }): Promise<RustParticipant> {
    const made = await RustParticipant.start(stack, this.suite, this.url, name)
    this.#all.push(made)
    return made
  }

  async #publish(made: Participant, keyPackages: number): Promise<void> {
    await made.register()
    await made.publish('one-time', keyPackages)
    await made.listen()
  }

  async close(): Promise<void> {
    await Promise.all(this.#all.map((one) => one.close()))
  }
}
