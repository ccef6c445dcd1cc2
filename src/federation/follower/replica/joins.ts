import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { resolveClients } from '../../../authentication/directory/directory.repository.js'
import type { LogRow } from '../../../delivery/read/entry.js'
import { refKey } from '../../../groups/roster/welcome-routes.js'
import { CONFIG, type Config } from '../../../platform/config/config.js'
import { decodeIncoming } from '../../../platform/http/incoming-message.js'
import { POOL, type Sql } from '../../../platform/postgres/sql.js'
import { sameBytes } from '../../../protocol/bytes.js'
import { parseClientUri } from '../../../protocol/identifiers.js'
import type { NotifyBatch, NotifyWelcome } from '../../../protocol/mimi/microchat/notify-batch.js'
import { keyPackageRef } from '../../../protocol/mls/hashes.js'
import { namedIdentity } from '../../../protocol/mls/structures/credential.js'
import { RosterRefused } from '../../inbound/inbound.problems.js'
import {
  spendHandedOut,
  spendPassedCommits,
  type AnsweredRef,
  type JoinedGroup,
  type SaidJoin,
} from '../../joins/join-proofs.repository.js'
import type { IncomingWelcome, MemberChange } from './replica-members.repository.js'

/** A join that a hub says of a device here. */
interface Join extends SaidJoin {
  /** Its entry is a Commit from outside whose leaf names the client. */
  readonly external: boolean
  /** KeyPackageRefs of the Adds, where the Commit is readable and adds nobody by reference. */
  readonly adds: ReadonlySet<string> | undefined
}

interface SaidWelcome extends Omit<IncomingWelcome, 'deviceIds'> {
  /** Devices here for which it is said to be. */
  readonly named: ReadonlySet<bigint>
  /** KeyPackageRefs that it answers. */
  readonly refs: readonly Uint8Array[]
}

/** What a batch says of local devices. */
export interface OwnChanges {
  readonly members: readonly MemberChange[]
  readonly joins: readonly Join[]
  readonly welcomes: readonly SaidWelcome[]
}

/** What of it is proven. */
export interface ProvenJoins {
  readonly welcomes: readonly IncomingWelcome[]
  /** KeyPackageRefs by which devices joined. */
  readonly refs: readonly Uint8Array[]
  /** What is left of the changes of members: of joins that nothing shows, that the device is no longer in with what it had before. */
  readonly members: readonly MemberChange[]
  /** How many such joins there are. */
  readonly unproven: number
}

interface Device {
  deviceId: bigint
}

/**
 * The hub says which local devices came and went. That a local device joined has to show for itself: by a Welcome to a KeyPackage that was handed out
 * for this room, or by an external Commit that was passed on for the device. That one left, the hub could bring about anyway by sending nothing more.
 */
@Injectable()
export class Joins {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
  ) {}

  /** @param entries those of the batch, as the log keeps them @throws RosterRefused for what no hub says */
  async of(batch: NotifyBatch, entries: readonly LogRow[]): Promise<OwnChanges> {
    const named = [...batch.roster.map(({ client }) => client), ...batch.welcomes.flatMap(({ clients }) => clients)]
    if (named.some((client) => parseClientUri(client)?.domain !== this.config.DOMAIN))
      throw new RosterRefused('it names a client of another provider')
    if (!isInOrder(batch.roster)) throw new RosterRefused('it is not in the order of the log')
    const devices = await resolveClients(this.pool, [...new Set(named)])
    const members: MemberChange[] = []
    const joins: Join[] = []
    for (const { seq, change, ended, client } of batch.roster) {
      const device = devices.get(client)
      if (!device) continue
      const entry = entries[Number(seq - batch.firstSeq)]
      if (!entry) throw new RosterRefused('a change is of no entry of the batch')
      members.push({ deviceId: device.deviceId, seq, change, epoch: entry.epoch + 1n, ended: ended === 'none' ? 'removed' : ended })
      if (change === 'joined')
        joins.push({ deviceId: device.deviceId, seq, hash: entry.hash, ...joinsBy(entry, client, batch.cipherSuite) })
    }
    return { members, joins, welcomes: batch.welcomes.map((welcome) => incoming(welcome, devices)) }
  }

  /**
   * Spends what shows the joins after `afterSeq`; what was there before was shown then. Call it in the transaction that stores them. A device whose
   * join nothing shows stays out, and the others read on: any member can commit an Add with a KeyPackage that was meant for another room, or was used.
   * @throws RosterRefused if nobody here would be a member by anything that is shown
   */
  async prove(sql: Sql, group: JoinedGroup & { hasLocalMembers: boolean }, changes: OwnChanges, afterSeq: bigint): Promise<ProvenJoins> {
    const joins = changes.joins.filter(({ seq }) => seq > afterSeq)
    const fromOutside = new Set(
      await spendPassedCommits(
        sql,
        group,
        joins.filter(({ external }) => external),
      ),
    )
    const welcomed = joins.filter((join) => !fromOutside.has(join))
    const answered = await spendHandedOut(sql, group, answeredRefs(changes.welcomes, welcomed), welcomed)
    const spent = answered.filter((one) => isNamed(changes.welcomes, one))
    const proven = new Set([...fromOutside, ...spent].map(placeOf))
    const unproven = new Set(joins.map(placeOf).filter((place) => !proven.has(place)))
    if (unproven.size > 0 && proven.size === 0 && !group.hasLocalMembers) throw new RosterRefused('nothing shows that the client joined')
    const members = changes.members
      .filter(({ seq }) => seq > afterSeq)
      .map((one): MemberChange =>
        one.change === 'joined' && unproven.has(placeOf(one)) ? { ...one, change: 'left', ended: 'removed' } : one,
      )
    const spentBy = Map.groupBy(spent, ({ seq, ref }) => `${seq} ${refKey(ref)}`)
    const welcomes = changes.welcomes.flatMap(({ named, refs, ...welcome }): IncomingWelcome[] => {
      const owners = refs.flatMap((ref) => spentBy.get(`${welcome.seq} ${refKey(ref)}`) ?? [])
      const deviceIds = [...new Set(owners.map(({ deviceId }) => deviceId))].filter((deviceId) => named.has(deviceId))
      return deviceIds.length === 0 ? [] : [{ ...welcome, deviceIds }]
    })
    return { welcomes, refs: spent.map(({ ref }) => ref), members, unproven: unproven.size }
  }
}

/** A Welcome has to be for the device: one in the group without it would look as if it had fetched its own. */
function isNamed(welcomes: readonly SaidWelcome[], { deviceId, seq, ref }: { deviceId: bigint; seq: bigint; ref: Uint8Array }): boolean {
  return welcomes.some((one) => one.seq === seq && one.named.has(deviceId) && one.refs.some((answered) => sameBytes(answered, ref)))
}

function placeOf({ deviceId, seq }: { readonly deviceId: bigint; readonly seq: bigint }): string {
  return `${seq} ${deviceId}`
}

/** Of Welcomes of the Commits by which devices join; in a Commit whose Adds can be read, only those that it adds. */
function answeredRefs(welcomes: readonly SaidWelcome[], joins: readonly Join[]): AnsweredRef[] {
  const commits = new Map(joins.map((join) => [join.seq, join]))
  return welcomes.flatMap(({ seq, refs }) => {
    const commit = commits.get(seq)
    if (!commit) return []
    const added = refs.filter((ref) => commit.adds?.has(refKey(ref)) ?? true)
    return added.map((ref) => ({ ref, seq, hash: commit.hash }))
  })
}

/** By seq; at one seq leavers come before joiners, and each client at most once in each role. */
function isInOrder(roster: NotifyBatch['roster']): boolean {
  const told = new Set<string>()
  return roster.every(({ seq, change, client }, index) => {
    const before = roster[index - 1]
    const key = `${seq} ${change} ${client}`
    const follows = !before || before.seq < seq || (before.seq === seq && !(before.change === 'joined' && change === 'left'))
    return follows && !told.has(key) && told.add(key) !== undefined
  })
}

/** KeyPackageRefs that the Welcome answers, and the devices here that the hub says it is for. */
function incoming({ seq, epoch, expiresAtMs, clients, message }: NotifyWelcome, devices: ReadonlyMap<string, Device>): SaidWelcome {
  const decoded = decodeIncoming(message.message)
  const refs = decoded.kind === 'decoded' && decoded.value.wireFormat === 'welcome' ? decoded.value.body.refs : []
  const latest = Date.now() + 400 * 86_400_000
  const named = new Set(clients.flatMap((client) => devices.get(client)?.deviceId ?? []))
  return { seq, epoch, bytes: message.message, expiresAt: new Date(Math.min(Number(expiresAtMs), latest)), named, refs }
}

/** How the entry brings the client in, as far as it can be read. */
function joinsBy({ bytes }: LogRow, client: string, suite: number): Pick<Join, 'external' | 'adds'> {
  const decoded = decodeIncoming(bytes)
  if (decoded.kind === 'malformed' || decoded.value.wireFormat !== 'public-message') return { external: false, adds: undefined }
  const { sender, content } = decoded.value.body
  if (content.kind !== 'commit') return { external: false, adds: NO_ADDS }
  if (sender.kind === 'new-member-commit') {
    const leaf = content.path?.leafNode
    return { external: leaf !== undefined && namedIdentity(leaf.credential) === client, adds: NO_ADDS }
  }
  if (content.proposals.some(({ kind }) => kind === 'reference')) return { external: false, adds: undefined }
  const refs = content.proposals.flatMap((one) => {
    const ref = one.kind === 'proposal' && one.proposal.kind === 'add' ? keyPackageRef(suite, one.proposal.keyPackage.bytes) : undefined
    return ref ? [refKey(ref)] : []
  })
  return { external: false, adds: new Set(refs) }
}

const NO_ADDS: ReadonlySet<string> = new Set()
