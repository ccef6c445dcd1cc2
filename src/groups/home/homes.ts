import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Caller } from '../../authentication/session/caller.js'
import { Unavailable } from '../../platform/http/problem.js'
import { POOL } from '../../platform/postgres/sql.js'
import type { SubmitCommit } from '../commit/commit.dto.js'
import type { Accepted } from '../groups.dto.js'
import { FederationLink, type Federation, type HubOperation } from './federation-link.js'
import { findHome, type Home } from './homes.repository.js'

/** More than a node's share of live groups, at a few megabytes. */
const REMEMBERED_GROUPS = 50_000

/** A group whose hub is another provider, bound to it. */
export class RemoteGroup {
  constructor(
    private readonly home: Home,
    private readonly peers: Federation,
  ) {}

  submitCommit(caller: Caller, body: SubmitCommit): Promise<Accepted> {
    return this.peers.submitCommit(this.home, caller, body)
  }

  submitProposal(caller: Caller, proposal: Uint8Array): Promise<Accepted> {
    return this.peers.submitProposal(this.home, caller, proposal)
  }

  submitMessage(caller: Caller, message: Uint8Array): Promise<Accepted> {
    return this.peers.submitMessage(this.home, caller, message)
  }

  perform(caller: Caller, operation: HubOperation, args: Record<string, unknown> = {}): Promise<unknown> {
    return this.peers.perform(this.home, caller, operation, args)
  }
}

/** Tells groups that are at home here from those of other hubs, for which this server only speaks. */
@Injectable()
export class Homes {
  /** By group id; never stale, since a home is fixed at first sight and a deleted group keeps its row. */
  private readonly known = new Map<string, Home | 'here'>()

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly link: FederationLink,
  ) {}

  /** Undefined for a group of ours, and for one that nobody here has heard of. */
  async remote(groupId: Uint8Array): Promise<RemoteGroup | undefined> {
    const home = await this.find(groupId)
    if (home === undefined || home === 'here') return undefined
    if (!this.link.peers) throw new Unavailable('This server does not federate now, and the group is at home elsewhere.')
    return new RemoteGroup(home, this.link.peers)
  }

  private async find(groupId: Uint8Array): Promise<Home | 'here' | undefined> {
    const key = Buffer.from(groupId).toString('latin1')
    const known = this.known.get(key)
    if (known) return known
    const home = await findHome(this.pool, groupId)
    if (this.known.size >= REMEMBERED_GROUPS) this.known.clear()
    if (home) this.known.set(key, home)
    return home
  }
}
