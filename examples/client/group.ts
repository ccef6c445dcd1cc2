import { createProposal, encodeMlsMessage, type Proposal } from 'ts-mls'
import { decodeKeyPackageMessage } from './joining.js'
import { buildCommit, members, pendingRemovals, type Member } from './commits.js'
import type { Device } from './device.js'
import { applyEntry, encryptText, mergePending, type Entry, type LogPage } from './entries.js'
import { ServerProblem } from './http.js'
import { leaveOutForbidden } from './hidden-proposals.js'
import { membersToLetGo } from './leaving.js'
import { refsOf } from './mls/proposal-ref.js'
import { suite } from './mls/suites.js'
import type { GroupRecord, PendingCommit } from './store.js'
import { named, sha256, toBase64Url, toHex } from './wire.js'

export interface Accepted {
  seq: number
  epoch: number
  incarnation: number
  chain: Uint8Array
}

/** What a Commit should do, asked again for each attempt; `undefined` when there is nothing left to do. */
type Intent = (members: Member[]) => Proposal[] | undefined

const ATTEMPTS = 100
/** How often, and how long after the last try, an accepted entry is looked for that the log does not show yet. */
const READ_ATTEMPTS = 200
const READ_AGAIN_MS = 50

/** A group as one device sees it. Operations run one at a time; entries from the stream wait for their turn in between. */
export class Group {
  #turn: Promise<unknown> = Promise.resolve()

  constructor(
    readonly device: Device,
    readonly record: GroupRecord,
    private readonly changed: () => void = () => {},
  ) {}

  get path(): string {
    return `/v1/groups/${toBase64Url(this.record.groupId)}`
  }
  get epoch(): number {
    return Number(this.record.state.groupContext.epoch)
  }
  get members(): string[] {
    return members(this.record.state).map((member) => member.client)
  }
  get texts(): string[] {
    return this.record.messages.map((message) => message.text)
  }
  /** Equal at all members of one epoch, and only then (RFC 9420 §8.7): people may compare it. */
  get epochAuthenticator(): string {
    return toHex(this.record.state.keySchedule.epochAuthenticator)
  }

  /** Adds all devices of these users; a KeyPackage that lost its Commit is good for the next attempt. */
  async add(...users: string[]): Promise<void> {
    const { room } = await this.device.http.get<{ room: string }>(this.path)
    const claims = await Promise.all(users.map((user) => this.device.claim(user, this.record.suite, room)))
    const packages = claims.flatMap((claim) => claim.key_packages)
    await this.commit((present) => {
      const absent = packages.filter((one) => !present.some((member) => member.client === one.client))
      return absent.length === 0
        ? undefined
        : absent.map((one) => ({ proposalType: 'add', add: { keyPackage: decodeKeyPackageMessage(one.key_package) } }))
    })
  }

  /** Removes devices by their client URI. */
  remove(...clients: string[]): Promise<void> {
    return this.commit((present) => {
      const targets = present.filter((member) => clients.includes(member.client))
      return targets.length === 0 ? undefined : targets.map(({ leafIndex }) => ({ proposalType: 'remove', remove: { removed: leafIndex } }))
    })
  }

  /** Fresh keys for this device: an empty Commit, which also carries out all pending Proposals. */
  update(): Promise<void> {
    return this.commit(() => [])
  }

  /** Carries out what others proposed, and removes those who are to go, if there are any. */
  settle(): Promise<void> {
    return this.commit((present) => {
      const leaving = present.some(({ client }) => this.record.leaving?.includes(client))
      return leaving || Object.keys(this.record.state.unappliedProposals).length > 0 ? [] : undefined
    })
  }

  /** Proposes our own removal; a member may not commit it for itself (RFC 9420 §12.2). Out only when another one commits. */
  async proposeLeaving(): Promise<void> {
    await this.inTurn(async () => {
      const { impl } = await suite(this.record.suite)
      const { state, mode } = this.record
      const remove = { proposalType: 'remove' as const, remove: { removed: state.privatePath.leafIndex } }
      const made = await createProposal(state, mode === 'public', remove, impl)
      await this.#submitProposal(encodeMlsMessage(made.message))
      this.record.state = made.newState
    })
  }

  /** Asks the server to propose it, as an external sender. Delivery ends at once: the Commit that removes this device is not sent to it. */
  leave(): Promise<unknown> {
    return this.device.http.post(`${this.path}/leave`).then((answer) => ((this.record.standing = 'removed'), answer))
  }

  /** How this device wants the group delivered. `muted`: `catchUp` reads it when the user wants to; `blocked`: nothing comes, and nothing can be read. */
  deliver(delivery: 'all' | 'muted' | 'blocked'): Promise<void> {
    return this.device.http.put(`${this.path}/delivery`, { delivery })
  }

  /** Encrypts and sends. While Proposals are pending it commits them first (RFC 9420 §12.4). */
  async send(text: string): Promise<Accepted> {
    for (let attempt = 0; ; attempt++) {
      await this.settle()
      try {
        return await this.inTurn(() => this.#sendOnce(text))
      } catch (error) {
        const behind = error instanceof ServerProblem && error.status === 409 && error.kind === 'stale-epoch'
        const proposals = error instanceof Error && error.message.includes('unapplied proposals')
        if (!(behind || proposals) || attempt >= ATTEMPTS) throw error
        await this.catchUp()
      }
    }
  }

  /** An MLSMessage for a way to the group of the caller's own, such as one without a sender. @throws if the group is in another epoch */
  encrypt(text: string, epoch: number): Promise<Uint8Array> {
    return this.inTurn(() => {
      if (this.epoch !== epoch) throw new ServerProblem(409, { type: 'stale-epoch' })
      return encryptText(this.record, text)
    })
  }

  async #sendOnce(text: string): Promise<Accepted> {
    return this.device.http.postMessage<Accepted>(`${this.path}/messages`, await encryptText(this.record, text), this.record.incarnation)
  }

  async #submitProposal(proposal: Uint8Array): Promise<Accepted> {
    this.record.sent.set(toHex(sha256(proposal)), '')
    return this.device.http.post<Accepted>(`${this.path}/proposals`, { proposal, ...named(this.record) })
  }

  /** Commits until it succeeds: a client that loses an epoch processes what was missed, looks again, and retries. */
  async commit(intent: Intent, attempts = ATTEMPTS): Promise<void> {
    for (let attempt = 0; attempt < attempts; attempt++) if ((await this.inTurn(() => this.#commitOnce(intent))) === 'done') return
    throw new Error(`No Commit won in ${attempts} attempts`)
  }

  async #commitOnce(intent: Intent): Promise<'done' | 'lost'> {
    const { record } = this
    if (record.standing !== 'member') throw new Error(`Not a member any more: ${record.standing}`)
    if (pendingRemovals(record.state).has(record.state.privatePath.leafIndex)) throw new Error('On the way out: cannot commit')
    const proposals = intent(members(record.state))
    if (!proposals) return 'done'
    if (record.mode === 'private') await leaveOutForbidden(this.device, record)
    const letGo = await membersToLetGo(this.device, record, proposals)
    record.pending = await buildCommit(record, proposals, (await suite(record.suite)).impl, letGo)
    return this.#submit(record.pending)
  }

  async #submit(pending: PendingCommit): Promise<'done' | 'lost'> {
    const { record } = this
    try {
      const { seq } = await this.device.http.post<Accepted>(`${this.path}/commits`, { ...pending.bundle, ...named(record) })
      // Entries that came before ours are for the epoch we leave: they have to be read first, and the cursor passes nothing unread.
      if (seq !== record.cursor + 1) await this.#readUpTo(seq)
      if (record.pending !== pending) return 'done'
      mergePending(record)
      record.cursor = Math.max(record.cursor, seq)
      return 'done'
    } catch (error) {
      if (!(error instanceof ServerProblem)) throw error
      delete record.pending
      if (error.kind === 'proposals-void') record.voided = [...(record.voided ?? []), ...(await refsOf(error, record.suite))]
      else if (error.kind !== 'stale-epoch' && error.kind !== 'proposals-pending') throw error
      await this.#readOn()
      return 'lost'
    }
  }

  /** After a crash: sends the Commit that may or may not have arrived once more, byte for byte. */
  async resume(): Promise<void> {
    const { pending } = this.record
    try {
      if (pending) await this.inTurn(() => this.#submit(pending))
      await this.catchUp()
    } catch (error) {
      if (!(error instanceof ServerProblem && error.status === 410)) throw error
      this.record.standing = 'deleted'
    }
  }

  /** Takes entries from a stream, a poll or a reply. */
  receive(entries: readonly Entry[]): Promise<void> {
    return this.inTurn(() => this.#apply(entries))
  }

  /** Reads the log past the cursor, page by page. */
  catchUp(): Promise<void> {
    return this.inTurn(() => this.#readOn())
  }

  async #readOn(): Promise<void> {
    for (;;) {
      const page = await this.history(this.record.cursor + 1)
      await this.#apply(page.entries)
      if (page.next_seq === undefined || page.entries.length === 0) return
    }
  }

  /**
   * Reads the log up to `seq`. What was accepted may not be readable at once: a log waits for the acknowledgement of its Welcome, and
   * a provider that follows the group waits for the hub.
   * @throws Error after some ten seconds in vain; the entries then come by the stream
   */
  async #readUpTo(seq: number): Promise<void> {
    for (let attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
      if (attempt > 0) await new Promise((resolve) => setTimeout(resolve, READ_AGAIN_MS))
      await this.#readOn()
      if (this.record.cursor >= seq || this.record.standing !== 'member') return
    }
    throw new Error(`Entry ${seq} was accepted, but cannot be read yet`)
  }

  async #apply(entries: readonly Entry[]): Promise<void> {
    const { impl } = await suite(this.record.suite)
    for (const entry of entries) await applyEntry(this.record, entry, impl)
  }

  history(fromSeq: number, limit = 200): Promise<LogPage> {
    return this.device.http.get<LogPage>(`${this.path}/log?from_seq=${fromSeq}&limit=${limit}`)
  }

  delete(): Promise<{ deleted_entries: number }> {
    return this.device.http.delete(this.path)
  }

  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#turn.then(work, work)
    this.#turn = run.catch(() => undefined)
    return run.finally(this.changed)
  }
}
