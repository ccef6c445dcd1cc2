import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import type { Mode } from '../../examples/client/store.js'
import { toBase64Url } from '../../examples/client/wire.js'
import {
  Refused,
  type IdentityKind,
  type KeyPackageKind,
  type Origin,
  type Participant,
  type Policy,
  type StackName,
  type View,
} from './participant.js'

/** Where cargo puts the programs. */
const PROGRAMS = join(import.meta.dirname, '../../../interop/target/release')

interface Answer {
  ok?: unknown
  failure?: { kind: string; detail: string; document: Record<string, unknown> | null }
}

/** A program in interop/, which speaks MLS, HTTP and WebSocket itself and takes commands as lines of JSON. */
export class RustParticipant implements Participant {
  readonly user: string
  readonly client: string
  readonly #child: ChildProcess
  readonly #waiting: ((answer: Answer) => void)[] = []

  private constructor(
    readonly stack: StackName,
    private readonly suite: number,
    { domain, user, device }: { domain: string; user: string; device: string },
  ) {
    this.user = `mimi://${domain}/u/${user}`
    this.client = `mimi://${domain}/d/${user}/${device}`
    this.#child = spawn(join(PROGRAMS, `interop-${stack}`), { stdio: ['pipe', 'pipe', 'inherit'] })
    if (this.#child.stdout) createInterface(this.#child.stdout).on('line', (line) => this.#waiting.shift()?.(JSON.parse(line) as Answer))
    const ended = (reason: string) => {
      for (const answer of this.#waiting.splice(0)) answer({ failure: { kind: 'driver', detail: reason, document: null } })
    }
    this.#child.once('error', (error) => ended(error.message))
    this.#child.once('exit', (code) => ended(`the program ended with ${code}`))
  }

  static async start(
    stack: StackName,
    suite: number,
    url: string,
    { identity, ...name }: { user: string; device: string; identity: IdentityKind },
  ): Promise<RustParticipant> {
    const domain = 'localhost'
    const made = new RustParticipant(stack, suite, { domain, ...name })
    await made.#run('start', { url, domain, suite, identity, ...name })
    return made
  }

  async register(): Promise<void> {
    await this.#run('register')
  }
  async enrol(first: Participant): Promise<void> {
    const identity = await first.identity()
    const possessed = identity === null ? {} : { possessed: await this.#run('possess', { identity }) }
    await first.vouch({ ...((await this.#run('proofs')) as object), ...possessed })
    await this.#run('login')
  }
  async vouch(proofs: unknown): Promise<void> {
    await this.#run('vouch', { proofs })
  }
  async publish(kind: KeyPackageKind, count: number): Promise<void> {
    await this.#run('publish', { kind, count })
  }
  async listen(): Promise<void> {
    await this.#run('listen')
  }
  async renew(): Promise<void> {
    await this.#run('renew')
  }
  async identity(): Promise<string | null> {
    return (await this.#run('identity')) as string | null
  }
  async renewHead(): Promise<void> {
    await this.#run('renew-head')
  }
  async revoke(client: string): Promise<void> {
    await this.#run('revoke', { client })
  }
  async safetyNumber(user: string): Promise<string> {
    return (await this.#run('safety-number', { user })) as string
  }
  /** A KeyPackage that nobody gets. `certificate`: in its leaf, of whatever device it is; base64url */
  async makeKeyPackage(certificate: string): Promise<string> {
    return (await this.#run('make-key-package', { certificate })) as string
  }
  /** The certificate in a leaf, base64url. */
  async certificateOf(group: Uint8Array, client: string): Promise<string> {
    return (await this.#in(group, 'certificate-of', { client })) as string
  }
  /** Adds by a KeyPackage that it does not look at. Without `welcoming` it sends no Welcome. */
  async addBy(group: Uint8Array, keyPackage: string, welcoming: boolean): Promise<void> {
    await this.#in(group, 'add-by', { key_package: keyPackage, welcoming })
  }
  /** Adds by this KeyPackage as by one that was claimed. */
  async use(group: Uint8Array, client: string, keyPackage: string): Promise<void> {
    await this.#in(group, 'use', { client, key_package: keyPackage })
  }
  /** Looks at each leaf again, by what the server says now. */
  async review(group: Uint8Array): Promise<View> {
    return (await this.#in(group, 'review')) as View
  }
  async create(group: Uint8Array, mode: Mode, policy: Policy, required: boolean): Promise<void> {
    await this.#in(group, 'create', { mode, policy, required })
  }
  async add(group: Uint8Array, users: readonly string[]): Promise<void> {
    await this.#in(group, 'add', { users })
  }
  async remove(group: Uint8Array, clients: readonly string[]): Promise<void> {
    await this.#in(group, 'remove', { clients })
  }
  async update(group: Uint8Array): Promise<void> {
    await this.#in(group, 'update')
  }
  async proposeUpdate(group: Uint8Array): Promise<void> {
    await this.#in(group, 'propose-update')
  }
  async proposeRemove(group: Uint8Array, client: string): Promise<void> {
    await this.#in(group, 'propose-remove', { client })
  }
  async proposeAdd(group: Uint8Array, user: string): Promise<void> {
    await this.#in(group, 'propose-add', { users: [user], suite: this.suite })
  }
  async leave(group: Uint8Array): Promise<void> {
    await this.#in(group, 'leave')
  }
  async send(group: Uint8Array, text: string): Promise<void> {
    await this.#in(group, 'send', { text })
  }
  async reinit(group: Uint8Array, next: Uint8Array): Promise<void> {
    await this.#in(group, 'reinit', { next: toBase64Url(next) })
  }
  async expect(group: Uint8Array, before: Uint8Array, origin: Origin): Promise<void> {
    await this.#in(group, 'expect', { before: toBase64Url(before), origin })
  }
  async beginAfter(before: Uint8Array, origin: Origin, group: Uint8Array, users: readonly string[]): Promise<void> {
    await this.#in(group, 'begin-after', { before: toBase64Url(before), origin, users })
  }
  async joinExternally(group: Uint8Array, _mode: Mode, options: { resync?: boolean; code?: string }): Promise<void> {
    await this.#in(group, 'join-externally', options)
  }
  async until(group: Uint8Array, seq: number | 'joined'): Promise<View> {
    return (await this.#in(group, 'until', seq === 'joined' ? {} : { seq })) as View
  }
  async view(group: Uint8Array): Promise<View> {
    return (await this.#in(group, 'view')) as View
  }
  async head(group: Uint8Array): Promise<number> {
    return (await this.#in(group, 'head')) as number
  }
  async admins(group: Uint8Array): Promise<string[]> {
    return (await this.#in(group, 'admins')) as string[]
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exit = once(this.#child, 'exit')
    this.#child.stdin?.end()
    await exit
  }

  #in(group: Uint8Array, action: string, rest: object = {}): Promise<unknown> {
    return this.#run(action, { group: toBase64Url(group), ...rest })
  }

  async #run(action: string, rest: object = {}): Promise<unknown> {
    const answer = await new Promise<Answer>((resolve) => {
      this.#waiting.push(resolve)
      this.#child.stdin?.write(`${JSON.stringify({ do: action, ...rest })}\n`)
    })
    const { failure } = answer
    if (failure) throw new Refused(failure.kind, `${this.stack} ${action}: ${failure.detail}`, failure.document ?? {})
    return answer.ok
  }
}
