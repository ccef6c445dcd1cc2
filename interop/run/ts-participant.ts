import { createProposal, encodeMlsMessage, type Proposal } from 'ts-mls'
import { Client } from '../../examples/client/client.js'
import { members } from '../../examples/client/commits.js'
import type { Device } from '../../examples/client/device.js'
import type { Group } from '../../examples/client/group.js'
import { ServerProblem } from '../../examples/client/http.js'
import { decodeKeyPackageMessage } from '../../examples/client/mls/key-package-message.js'
import { suite } from '../../examples/client/mls/suites.js'
import type { Mode } from '../../examples/client/store.js'
import { safetyNumber } from '../../examples/client/identity/safety-number.js'
import { fromBase64Url, fromJson, sha256, toBase64Url, toHex, toJson } from '../../examples/client/wire.js'
import { Refused, type KeyPackageKind, type Origin, type Participant, type Policy, type View } from './participant.js'

/** As long as the clients in Rust wait. */
const PATIENCE_MS = 60_000

/** The example client, which speaks MLS by ts-mls. */
export class TsParticipant implements Participant {
  readonly stack = 'ts-mls'

  private constructor(
    private readonly of: Client,
    private readonly suite: number,
  ) {}

  static async start(suiteId: number, baseUrl: string, name: { user: string; device: string; identity: boolean }): Promise<TsParticipant> {
    return new TsParticipant(await Client.create({ baseUrl, domain: 'localhost', suites: [suiteId], ...name }), suiteId)
  }

  get user(): string {
    return this.of.user
  }
  get client(): string {
    return this.of.uri
  }

  register(): Promise<void> {
    return refusals(() => this.of.device.register())
  }
  async enrol(first: Participant): Promise<void> {
    const { device } = this.of
    const identity = await first.identity()
    const possessed = identity === null ? {} : { possessed: await device.own.possess(fromBase64Url(identity)) }
    await first.vouch(JSON.parse(toJson({ client: this.client, ...(await device.proofs.possession('new-device')), ...renamed(possessed) })))
    await device.login()
    if (identity !== null) await device.identities.of(this.user, { fresh: true })
  }
  vouch(proofs: unknown): Promise<void> {
    const { possessed, ...body } = fromJson(JSON.stringify(proofs)) as Parameters<Device['vouch']>[0] & { possessed?: PossessedKey[] }
    const { device } = this.of
    if (!possessed) return refusals(() => device.vouch(body))
    return refusals(async () => {
      const keys = possessed.map(({ scheme, public_key: publicKey, possession }) => ({
        scheme,
        publicKey,
        possession: fromBase64Url(possession),
      }))
      const list = await device.own.certificateFor(body.client, keys)
      await device.http.post('/v1/devices', { ...body, device_list: list })
      device.own.accepted(list)
    })
  }
  identity(): Promise<string | null> {
    const { own } = this.of.device
    return Promise.resolve(own.exists ? toBase64Url(own.kept.list.identity) : null)
  }
  async renewHead(): Promise<void> {
    // It does so by itself when half of the time is over.
    await refusals(() => this.of.device.own.renewHead())
  }
  revoke(client: string): Promise<void> {
    return refusals(() => this.of.device.own.revoke([client]))
  }
  async safetyNumber(user: string): Promise<string> {
    const { own, identities } = this.of.device
    const other = await identities.of(user)
    if (!other) throw new Refused('identity', 'no list')
    return safetyNumber({ user: this.user, identity: own.kept.list.identity }, { user, identity: other.list.identity })
  }
  publish(kind: KeyPackageKind, count: number): Promise<void> {
    if (kind !== 'one-time' && kind !== 'last-resort') throw new Refused('unsupported', `the example client makes no ${kind} KeyPackages`)
    // It publishes one of last resort with any others.
    return refusals(() => this.of.device.publishKeyPackages(kind === 'one-time' ? count : 0))
  }
  listen(): Promise<void> {
    this.of.connect()
    return Promise.resolve()
  }
  renew(): Promise<void> {
    return refusals(() => this.of.device.refresh())
  }
  async create(groupId: Uint8Array, mode: Mode, policy: Policy, required: boolean): Promise<void> {
    // It requires certificates of each group that is certified when it begins; this one becomes so by its admin.
    const later = policy.identities === 'certified' && !required
    await refusals(async () => {
      const identities = later ? { identities: 'any' as const } : {}
      const group = await this.of.createGroup({ groupId, mode, suite: this.suite, policy: { ...policy, ...identities } })
      if (!later) return
      await this.of.device.http.put(`${group.path}/policy`, { identities: 'certified' })
      group.record.certified = true
    })
  }
  add(group: Uint8Array, users: readonly string[]): Promise<void> {
    return refusals(() => this.of.group(group).add(...users))
  }
  remove(group: Uint8Array, clients: readonly string[]): Promise<void> {
    return refusals(() => this.of.group(group).remove(...clients))
  }
  update(group: Uint8Array): Promise<void> {
    return refusals(() => this.of.group(group).update())
  }
  proposeUpdate(): Promise<void> {
    throw new Refused('unsupported', 'ts-mls has no way to keep the keys of an Update that it proposes')
  }
  proposeRemove(groupId: Uint8Array, client: string): Promise<void> {
    const target = members(this.#group(groupId).record.state).find((member) => member.client === client)
    if (!target) throw new Refused('library', 'no such member')
    return this.#propose(groupId, { proposalType: 'remove', remove: { removed: target.leafIndex } })
  }
  async proposeAdd(groupId: Uint8Array, user: string): Promise<void> {
    const { key_packages } = await this.of.device.claim(user, this.suite)
    const [first] = key_packages
    if (!first) throw new Refused('library', 'no KeyPackage')
    await this.#propose(groupId, { proposalType: 'add', add: { keyPackage: decodeKeyPackageMessage(first.key_package) } })
  }
  async leave(group: Uint8Array): Promise<void> {
    await refusals(() => this.of.group(group).leave())
  }
  async send(group: Uint8Array, text: string): Promise<void> {
    await refusals(() => this.of.group(group).send(text))
  }
  async reinit(groupId: Uint8Array, next: Uint8Array): Promise<void> {
    const group = this.#group(groupId)
    const { cipherSuite, extensions } = group.record.state.groupContext
    await refusals(() =>
      group.commit(() => [{ proposalType: 'reinit', reinit: { groupId: next, version: 'mls10', cipherSuite, extensions } }]),
    )
  }
  expect(): Promise<void> {
    // The PSK that the Welcome names says which group was before.
    return Promise.resolve()
  }
  async beginAfter(before: Uint8Array, origin: Origin, groupId: Uint8Array, users: readonly string[]): Promise<void> {
    await refusals(() => this.of.beginAfter({ before: this.#group(before).record, origin, groupId, users }))
  }
  async joinExternally(groupId: Uint8Array, mode: Mode, { resync, code }: { resync?: boolean; code?: string }): Promise<void> {
    const extra = { ...(resync === undefined ? {} : { resync }), ...(code === undefined ? {} : { joinCode: code }) }
    await refusals(() => this.of.joinExternally({ groupId, mode, suite: this.suite, ...extra }))
  }

  async until(groupId: Uint8Array, seq: number | 'joined'): Promise<View> {
    const there = () => {
      const record = this.of.store.group(groupId)
      if (seq === 'joined') return record?.standing === 'member' || this.of.lostWelcomes.length > 0
      return record !== undefined && (record.cursor >= seq || record.standing !== 'member')
    }
    await this.of.until(`entry ${seq}`, there, PATIENCE_MS)
    const [lost] = this.of.lostWelcomes
    if (lost) throw new Refused('welcome', lost.reason)
    return this.view(groupId)
  }

  view(groupId: Uint8Array): Promise<View> {
    const { record, epoch, members } = this.#group(groupId)
    return Promise.resolve({
      epoch,
      authenticator: toBase64Url(record.state.keySchedule.epochAuthenticator),
      members,
      proposals: Object.keys(record.state.unappliedProposals).length,
      cursor: record.cursor,
      standing: record.standing,
      texts: record.messages.filter(({ from }) => from !== this.client).map(({ from, text }) => ({ from, text })),
      failures: record.failures.map(({ seq, reason }) => `${seq}: ${reason}`),
      distrusted: record.quarantine.map(({ client, rule, reason }) => ({ client, reason: rule ?? reason })),
    })
  }
  async head(groupId: Uint8Array): Promise<number> {
    return (await this.#group(groupId).history(1, 1)).head_seq
  }
  async admins(groupId: Uint8Array): Promise<string[]> {
    return (await this.of.device.http.get<{ admins: string[] }>(`${this.#group(groupId).path}/policy`)).admins
  }
  close(): Promise<void> {
    return this.of.disconnect()
  }

  #group(groupId: Uint8Array): Group {
    return this.of.group(groupId)
  }

  /** As the example client proposes its own removal, with any Proposal. */
  #propose(groupId: Uint8Array, proposal: Proposal): Promise<void> {
    const group = this.#group(groupId)
    return group.inTurn(() =>
      refusals(async () => {
        const { record } = group
        const { impl } = await suite(this.suite)
        const made = await createProposal(record.state, record.mode === 'public', proposal, impl)
        const message = encodeMlsMessage(made.message)
        record.sent.set(toHex(sha256(message)), '')
        await this.of.device.http.post(`${group.path}/proposals`, { proposal: message })
        record.state = made.newState
      }),
    )
  }
}

/** A key with what proves it, as the participants pass it on. */
interface PossessedKey {
  scheme: number
  public_key: Uint8Array
  /** base64url, as the other one wrote it. */
  possession: string
}

function renamed({ possessed }: { possessed?: Awaited<ReturnType<Device['own']['possess']>> }): { possessed?: PossessedKey[] } {
  return possessed
    ? {
        possessed: possessed.map(({ scheme, publicKey, possession }) => ({
          scheme,
          public_key: publicKey,
          possession: toBase64Url(possession),
        })),
      }
    : {}
}

async function refusals(work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (error instanceof ServerProblem) throw new Refused(error.kind, `ts-mls: ${error.document.detail ?? ''}`, error.document)
    throw new Refused('library', `ts-mls: ${error instanceof Error ? error.message : String(error)}`)
  }
}
