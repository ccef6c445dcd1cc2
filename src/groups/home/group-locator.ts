import { Inject, Injectable } from '@nestjs/common'
import { LRUCache } from 'lru-cache'
import type { Pool } from 'pg'
import { Unavailable } from '../../platform/http/problem.js'
import { POOL } from '../../platform/postgres/sql.js'
import { FederationLink, type Federation } from './federation-link.js'
import { locateGroup, type Home, type Located } from './homes.repository.js'

/** More than a node's share of live groups, at a few megabytes. */
const REMEMBERED_GROUPS = 50_000

/** Tells groups that are at home here from those of other hubs, for which this server only speaks; and what id each has in MLS. */
@Injectable()
export class GroupLocator {
  /** By address; only what never changes, as a group that is, or was, at home here or followed keeps its row. */
  private readonly known = new LRUCache<string, Located>({ max: REMEMBERED_GROUPS })

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly link: FederationLink,
  ) {}

  /**
   * @returns undefined for a group that is at home here, and for one that nobody here has heard of
   * @throws Unavailable if it is elsewhere, and this server does not federate
   */
  async hubOf(groupId: Uint8Array): Promise<{ home: Home; peers: Federation } | undefined> {
    const home = (await this.find(groupId))?.home
    if (home === undefined) return undefined
    if (!this.link.peers) throw new Unavailable('Another provider is the hub of this group, and this server does not federate now.')
    return { home, peers: this.link.peers }
  }

  /** The id that messages of the group carry. Of an unknown group it is the address. */
  async mlsIdOf(groupId: Uint8Array): Promise<Uint8Array> {
    return (await this.find(groupId))?.mlsGroupId ?? groupId
  }

  private async find(groupId: Uint8Array): Promise<Located | undefined> {
    const key = Buffer.from(groupId).toString('latin1')
    const known = this.known.get(key)
    if (known) return known
    const located = await locateGroup(this.pool, groupId)
    if (located?.settled) this.known.set(key, located)
    return located
  }
}
