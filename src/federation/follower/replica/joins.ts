import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { resolveClients } from '../../../authentication/directory/directory.repository.js'
import { routeRefs } from '../../../key-packages/claims.repository.js'
import { CONFIG, type Config } from '../../../platform/config/config.js'
import { decodeIncoming } from '../../../platform/http/incoming-message.js'
import { POOL } from '../../../platform/postgres/sql.js'
import { parseClientUri } from '../../../protocol/identifiers.js'
import { namedIdentity } from '../../../protocol/mls/structures/credential.js'
import type { NotifyBatch, NotifyWelcome } from '../../../protocol/mimi/microchat/notify-batch.js'
import { RosterRefused } from '../../inbound/inbound.problems.js'
import type { IncomingWelcome, MemberChange } from './replica-members.repository.js'

/** The changes of a batch for local devices. */
export interface OwnChanges {
  readonly members: readonly MemberChange[]
  readonly welcomes: readonly IncomingWelcome[]
  /** KeyPackageRefs that the Welcomes answer. */
  readonly refs: readonly Uint8Array[]
}

interface Device {
  deviceId: bigint
}

/**
 * The hub says which local devices came and went. That a local device joined has to show for itself: by a Welcome to a KeyPackage that we
 * handed out for it, or by its own external Commit. That one left, the hub could bring about anyway by sending nothing more.
 */
@Injectable()
export class Joins {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
  ) {}

  async of(batch: NotifyBatch): Promise<OwnChanges> {
    const named = [...batch.roster.map(({ client }) => client), ...batch.welcomes.flatMap(({ clients }) => clients)]
    if (named.some((client) => parseClientUri(client)?.domain !== this.config.DOMAIN))
      throw new RosterRefused('it names a client of another provider')
    if (!isInOrder(batch.roster)) throw new RosterRefused('it is not in the order of the log')
    const devices = await resolveClients(this.pool, [...new Set(named)])
    const refs = refsOf(batch)
    const welcomed = new Set(refs.length === 0 ? [] : [...(await routeRefs(this.pool, refs)).values()].map(({ deviceId }) => deviceId))
    const members = batch.roster.flatMap(({ seq, change, ended, client }): MemberChange[] => {
      const device = devices.get(client)
      if (!device) return []
      const entry = batch.entries[Number(seq - batch.firstSeq)]
      if (!entry) throw new RosterRefused('a change is of no entry of the batch')
      if (change === 'joined' && !welcomed.has(device.deviceId) && joinerOf(entry.message.message) !== client)
        throw new RosterRefused('nothing shows that the client joined')
      return [{ deviceId: device.deviceId, seq, change, epoch: entry.epoch + 1n, ended: ended === 'none' ? 'removed' : ended }]
    })
    return {
      members,
      refs,
      welcomes: batch.welcomes.map((welcome) => incoming(welcome, devices, welcomed)),
    }
  }
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

/** The KeyPackages that the Welcomes of a batch answer. */
function refsOf({ welcomes }: NotifyBatch): Uint8Array[] {
  return welcomes.flatMap(({ message }) => {
    const decoded = decodeIncoming(message.message)
    return decoded.kind === 'decoded' && decoded.value.wireFormat === 'welcome' ? decoded.value.body.refs : []
  })
}

/** A Welcome goes into the inboxes of the devices whose KeyPackages it answers, once each; otherwise a hub could fill any inbox. */
function incoming(
  { seq, epoch, expiresAtMs, clients, message }: NotifyWelcome,
  devices: ReadonlyMap<string, Device>,
  welcomed: ReadonlySet<bigint>,
): IncomingWelcome {
  const named = new Set(clients.flatMap((client) => devices.get(client)?.deviceId ?? []))
  const deviceIds = [...named].filter((deviceId) => welcomed.has(deviceId))
  const latest = Date.now() + 400 * 86_400_000
  return { seq, epoch, bytes: message.message, expiresAt: new Date(Math.min(Number(expiresAtMs), latest)), deviceIds }
}

/** Who joins by an external Commit, which is public in every mode. */
function joinerOf(message: Uint8Array): string | undefined {
  const decoded = decodeIncoming(message)
  if (decoded.kind === 'malformed' || decoded.value.wireFormat !== 'public-message') return undefined
  const { sender, content } = decoded.value.body
  if (sender.kind !== 'new-member-commit' || content.kind !== 'commit' || !content.path) return undefined
  return namedIdentity(content.path.leafNode.credential)
}
