import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Caller } from '../../authentication/session/caller.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Forbidden, InvalidRequest, NotFound } from '../../platform/http/problem.js'
import { POOL } from '../../platform/postgres/sql.js'
import { HASH_OF_SUITE } from '../../protocol/mls/hashes.js'
import { openFor } from '../access/access.js'
import type { Action } from '../authority/actions.js'
import { FederationLink } from '../home/federation-link.js'
import { LastAdmin, PolicyChanged, PolicyRefusal } from '../groups.problems.js'
import { LEFT_TO_MEMBERS, type ChangePolicy, type InitialPolicy, type Policy } from './policy.dto.js'
import { hashOfCode, type GroupPolicy } from './policy.js'
import { banUser, dismissAdmin, findUser, makeAdmin, readAdminsAndBans, replacePolicy, unbanUser } from './policy.repository.js'
import { userOf } from './uris.js'

@Injectable()
export class PolicyService {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly link: FederationLink,
  ) {}

  async read(caller: Caller, groupId: Uint8Array): Promise<Policy> {
    const { group, standing } = await openFor(this.pool, groupId, caller, 'read-policy')
    const { admins, banned } = await readAdminsAndBans(this.pool, group.gid)
    const left_to_members = group.mode === 'private' ? [...LEFT_TO_MEMBERS] : []
    const apart = await this.link.apartIn(group.gid)
    return {
      ...shown(standing.policy),
      left_to_members,
      admins,
      ...(standing.admin ? { banned } : {}),
      ...(apart.length > 0 ? { providers_apart: [...apart] } : {}),
    }
  }

  async change(caller: Caller, groupId: Uint8Array, change: ChangePolicy): Promise<Policy> {
    const { group, standing } = await openFor(this.pool, groupId, caller, 'change-policy')
    if (change.version !== undefined && BigInt(change.version) !== standing.policy.version) throw new PolicyChanged()
    const next = changed(standing.policy, change)
    if (next.externalJoin !== 'none' && !HASH_OF_SUITE.has(group.cipherSuite))
      throw new PolicyRefusal('The server does not know the suite of this group, so nobody can join it from outside.')
    // Members count on it, and a stolen session of an admin would open the group.
    if (standing.policy.identities === 'certified' && next.identities === 'any') throw new PolicyRefusal(STAYS_CERTIFIED)
    const outcome = await replacePolicy(this.pool, group.gid, caller.userId, next)
    if (outcome === 'changed') throw new PolicyChanged()
    if (outcome === 'forbidden') await this.refuse(caller, groupId, 'change-policy')
    return this.read(caller, groupId)
  }

  /** Admins are users who are in the group: others could not use the right, and would come back with it. A banned one would lift its ban. */
  async makeAdmin(caller: Caller, groupId: Uint8Array, user: string): Promise<void> {
    const { group } = await openFor(this.pool, groupId, caller, 'make-admin')
    const outcome = await makeAdmin(this.pool, group.gid, caller.userId, await this.user(user))
    if (outcome === 'absent') throw new NotFound('No such user in the group.')
    if (outcome === 'banned') throw new PolicyRefusal('This user is banned from the group.')
    if (outcome === 'forbidden') await this.refuse(caller, groupId, 'make-admin')
  }

  async dismissAdmin(caller: Caller, groupId: Uint8Array, user: string): Promise<void> {
    const { group } = await openFor(this.pool, groupId, caller, 'dismiss-admin')
    const outcome = await dismissAdmin(this.pool, group.gid, caller.userId, await this.user(user))
    if (outcome === 'last-admin') throw new LastAdmin()
    if (outcome === 'forbidden') await this.refuse(caller, groupId, 'dismiss-admin')
  }

  /** A ban keeps out; members who are in are removed by a Commit. */
  async ban(caller: Caller, groupId: Uint8Array, user: string): Promise<void> {
    const { group } = await openFor(this.pool, groupId, caller, 'ban')
    const outcome = await banUser(this.pool, group.gid, caller.userId, await this.user(user))
    if (outcome === 'last-admin') throw new LastAdmin()
    if (outcome === 'forbidden') await this.refuse(caller, groupId, 'ban')
  }

  async unban(caller: Caller, groupId: Uint8Array, user: string): Promise<void> {
    const { group } = await openFor(this.pool, groupId, caller, 'unban')
    if ((await unbanUser(this.pool, group.gid, caller.userId, await this.user(user))) === 'forbidden')
      await this.refuse(caller, groupId, 'unban')
  }

  /** What was an admin of the group a moment ago is refused as it stands now. */
  private async refuse(caller: Caller, groupId: Uint8Array, action: Action): Promise<never> {
    await openFor(this.pool, groupId, caller, action)
    throw new Forbidden('Only admins of the group may do this.')
  }

  private async user(reference: string): Promise<bigint> {
    const userId = await findUser(this.pool, userOf(this.config.DOMAIN, reference))
    if (userId === undefined) throw new NotFound('No such user.')
    return userId
  }
}

export const STAYS_CERTIFIED = 'A group whose identities are certified stays so.'

/** The policy of a new group. */
export function initialPolicy(body: InitialPolicy): GroupPolicy {
  return {
    externalJoin: body.external_join,
    joinCodeHash: body.join_code === undefined ? null : hashOfCode(body.join_code),
    addMembers: body.add_members,
    removeMembers: body.remove_members,
    reportsToReset: body.reports_to_reset,
    identities: body.identities ?? 'any',
    version: 1n,
  }
}

function changed(policy: GroupPolicy, change: ChangePolicy): GroupPolicy {
  const externalJoin = change.external_join ?? policy.externalJoin
  const code = change.join_code === undefined ? policy.joinCodeHash : hashOfCode(change.join_code)
  if (externalJoin === 'code' && !code) throw new InvalidRequest('external_join code needs a join_code.')
  if (externalJoin !== 'code' && change.join_code !== undefined) throw new InvalidRequest('A join_code goes with external_join code only.')
  return {
    externalJoin,
    joinCodeHash: externalJoin === 'code' ? code : null,
    addMembers: change.add_members ?? policy.addMembers,
    removeMembers: change.remove_members ?? policy.removeMembers,
    reportsToReset: change.reports_to_reset ?? policy.reportsToReset,
    identities: change.identities ?? policy.identities,
    version: policy.version,
  }
}

function shown(policy: GroupPolicy): Omit<Policy, 'admins' | 'left_to_members'> {
  return {
    external_join: policy.externalJoin,
    add_members: policy.addMembers,
    remove_members: policy.removeMembers,
    reports_to_reset: policy.reportsToReset,
    identities: policy.identities,
    version: policy.version,
  }
}
