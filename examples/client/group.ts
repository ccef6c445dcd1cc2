import { createProposal, encodeMlsMessage, type Proposal } from 'ts-mls'
import { decodeKeyPackageMessage } from './mls/key-package-message.js'
import { buildCommit, members, pendingRemovals, type Intent } from './commits.js'
import type { Device } from './device.js'
import { encryptText, mergePending, type Entry, type LogPage } from './entries.js'
import { ServerProblem } from './http.js'
import { leaveOutForbidden } from './hidden-proposals.js'
import { failingProposals, removalsOf, requireNoFailing, requireNoNewFailing, submitCommit } from './identity/group-check.js'
import { unlessForbidden, usable } from './identity/group-check.js'
import { IdentityRefused } from './identity/refused.js'
import { membersToLetGo } from './leaving.js'
import { LogReader } from './log-reader.js'
import { refsOf } from './mls/proposal-ref.js'
import { suite } from './mls/suites.js'
import { postMessage, type Accepted } from './posting.js'
import type { GroupRecord, PendingCommit } from './store.js'
import { named, sha256, toBase64Url, toHex } from './wire.js'

export type { Accepted }

const ATTEMPTS = 100

/** A group as one device sees it. Operations run one at a time; entries from the stream wait for their turn in between. */
export class Group {
  #turn: Promise<unknown> = Promise.resolve()
  readonly #log: LogReader

  constructor(
    readonly device: Device,
    readonly record: GroupRecord,
    private readonly changed: () => void = () => {},
  ) {
    this.#log = new LogReader(device, record)
  }

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
  /** Equal at all members of one epoch, and only then (RFC 9420 §8.7). */
  get epochAuthenticator(): string {
    return toHex(this.record.state.keySchedule.epochAuthenticator)
  }

  /** Adds all devices of these users; a KeyPackage that lost its Commit is good for the next attempt. */
  async add(...users: string[]): Promise<void> {
    const { room } = await this.device.http.get<{ room: string }>(this.path)
    const claims = await Promise.all(users.map((user) => this.device.claim(user, this.record.suite, room)))
    const packages = (await Promise.all(claims.map((claim) => usable(this.device, claim, this.record)))).flat()
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
  proposeLeaving(): Promise<void> {
    return this.#propose({ proposalType: 'remove', remove: { removed: this.record.state.privatePath.leafIndex } })
  }

  #propose(proposal: Proposal): Promise<void> {
    return this.inTurn(async () => {
      const { impl } = await suite(this.record.suite)
      const { state, mode } = this.record
      const made = await createProposal(state, mode === 'public', proposal, impl)
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
      await this.cleanse()
      try {
        return await this.inTurn(() => this.#sendOnce(text))
      } catch (error) {
        const behind = error instanceof ServerProblem && error.status === 409 && error.kind === 'stale-epoch'
        const proposals = error instanceof Error && error.message.includes('unapplied proposals')
        // A Commit came in between and brought a leaf that fails.
        const failing = error instanceof IdentityRefused
        if (!(behind || proposals || failing) || attempt >= ATTEMPTS) throw error
        await this.catchUp()
      }
    }
  }

  /**
   * Looks at every leaf by the newest lists, and removes those that fail (docs/identity.md §5): after that Commit they know nothing of the group's
   * secrets. Where this device may not, it proposes that.
   * @throws IdentityRefused while there are any: nothing may be sent
   */
  async cleanse(): Promise<void> {
    if ((await this.inTurn(() => this.#log.judge())).length === 0) return
    const removed = await unlessForbidden(this.commit(() => removalsOf(this.record)))
    // Where this device may not propose it either, those who may will.
    if (!removed) for (const removal of removalsOf(this.record) ?? []) await unlessForbidden(this.#propose(removal))
    requireNoFailing(await this.inTurn(() => this.#log.judge()))
  }

  /** An MLSMessage for a way to the group of the caller's own, such as one without a sender. @throws if the group is in another epoch */
  async encrypt(text: string, epoch: number): Promise<Uint8Array> {
    await this.cleanse()
    return this.inTurn(async () => {
      requireNoFailing(this.record.quarantine)
      if (this.epoch !== epoch) throw new ServerProblem(409, { type: 'stale-epoch' })
      return encryptText(this.record, text)
    })
  }

  async #sendOnce(text: string): Promise<Accepted> {
    requireNoFailing(this.record.quarantine)
    return postMessage(this.device, this.record, await encryptText(this.record, text))
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
    // One whose outcome is not known: its place in the log counts before anything else is committed.
    if (record.pending) await this.#submit(record.pending)
    if (record.standing !== 'member') throw new Error(`Not a member any more: ${record.standing}`)
    if (pendingRemovals(record.state).has(record.state.privatePath.leafIndex)) throw new Error('On the way out: cannot commit')
    const proposals = intent(members(record.state))
    if (!proposals) return 'done'
    if (record.mode === 'private') await leaveOutForbidden(this.device, record)
    const failing = await failingProposals(this.device, record)
    if (failing.length > 0) record.voided = [...(record.voided ?? []), ...failing]
    const letGo = await membersToLetGo(this.device, record, proposals)
    const { credential } = await this.device.certificates.credential(record.suite)
    const own = { extensions: this.device.leafExtensions(), credential }
    const pending = await buildCommit(record, proposals, (await suite(record.suite)).impl, letGo, own)
    await requireNoNewFailing(this.device, record, pending.next)
    record.pending = pending
    return this.#submit(pending)
  }

  async #submit(pending: PendingCommit): Promise<'done' | 'lost'> {
    const { record } = this
    try {
      const { seq } = await submitCommit(this.device, `${this.path}/commits`, pending, record)
      // Entries that came before ours are for the epoch we leave: they have to be read first, and the cursor passes nothing unread.
      if (seq !== record.cursor + 1) await this.#log.readUpTo(seq)
      if (record.pending !== pending) return 'done'
      const before = record.state
      const seen = mergePending(record)
      record.cursor = Math.max(record.cursor, seq)
      if (seen) await this.#log.judge({ before, seen })
      return 'done'
    } catch (error) {
      if (!(error instanceof ServerProblem)) throw error
      delete record.pending
      if (error.kind === 'proposals-void') record.voided = [...(record.voided ?? []), ...(await refsOf(error, record.suite))]
      else if (error.kind !== 'stale-epoch' && error.kind !== 'proposals-pending') throw error
      await this.#log.readOn()
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
    return this.inTurn(() => this.#log.take(entries))
  }

  /** Reads the log past the cursor, page by page. */
  catchUp(): Promise<void> {
    return this.inTurn(() => this.#log.readOn())
  }

  history(fromSeq: number, limit = 200): Promise<LogPage> {
    return this.#log.history(fromSeq, limit)
  }

  delete = (): Promise<{ deleted_entries: number }> => this.device.http.delete(this.path)

  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#turn.then(work, work)
    this.#turn = run.catch(() => undefined)
    return run.finally(this.changed)
  }
}
