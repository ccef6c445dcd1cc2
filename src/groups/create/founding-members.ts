import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Caller } from '../../authentication/session/caller.js'
import { X509Credentials } from '../../authentication/x509/x509-credentials.js'
import { lifetimeLimits } from '../../key-packages/check-key-package.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { POOL } from '../../platform/postgres/sql.js'
import { parseClientUri } from '../../protocol/identifiers.js'
import { leafNodeLifetime } from '../../protocol/mls/leaf-node-rules.js'
import type { Extension } from '../../protocol/mls/structures/extension.js'
import type { GroupInfo } from '../../protocol/mls/structures/group-info.js'
import type { LeafNode } from '../../protocol/mls/structures/leaf-node.js'
import type { ReInit } from '../../protocol/mls/structures/proposal.js'
import type { TreeNodes } from '../../protocol/mls/structures/ratchet-tree.js'
import { applyCommit } from '../../protocol/public-group/apply-commit.js'
import { memberAt, type Member } from '../../protocol/public-group/state.js'
import { openFor } from '../access/access.js'
import { presentClients, type PresentClient } from '../access/members.repository.js'
import { InvalidCommit, PolicyRefusal } from '../groups.problems.js'
import { FederationLink } from '../home/federation-link.js'
import type { GroupPolicy } from '../policy/policy.js'
import type { EncodedWelcome } from '../input/bundle.js'
import type { GroupRow, NewGroup } from '../repository/groups.repository.js'
import { readCommitOf } from '../repository/log.repository.js'
import { requireOwnLeaf } from '../roster/roster.js'
import { hasDeviceList } from '../roster/certificates.repository.js'
import { introduceLeaves, judgeCertificates, namedLeaf, refuseFaults, requirementOf } from '../roster/certified-leaves.js'
import { devicesOfLeaves, unregisteredAmong } from '../roster/roster.repository.js'
import { routeByClaims } from '../roster/welcome-routes.js'
import { PublicStates, publicMessageOf } from '../state/public-states.js'
import type { CreateGroup } from './create-group.dto.js'
import { originIn, type Origin } from './origin.js'

/** What a ReInit (RFC 9420 §12.1.5) said about the group to come. */
@Injectable()
export class Reinitialized {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly states: PublicStates,
  ) {}

  /** Undefined unless the group is public and was frozen by a ReInit: then the last Commit, read again, says it. */
  async announcedBy(group: GroupRow): Promise<ReInit | undefined> {
    if (group.frozen !== 'reinit' || group.mode !== 'public') return undefined
    const epoch = group.epoch - 1n
    const row = await readCommitOf(this.pool, group.gid, epoch)
    if (!row) return undefined
    const { state } = await this.states.at({ ...group, epoch })
    const again = applyCommit(state, publicMessageOf(row))
    return again.kind === 'applied' ? again.reinit : undefined
  }
}

/** What a creator shows of a group that begins at epoch 1; nothing in it is believed yet. */
export interface LaterBeginning {
  groupInfo: GroupInfo
  tree: TreeNodes
  welcomes: readonly EncodedWelcome[]
}

/** The members that a group begins with in addition to its creator. */
export type Invited = Pick<NewGroup, 'added' | 'welcomes' | 'usedRefs'>

/**
 * A group that begins at epoch 1 (RFC 9420 §11.2, §11.3): its creator has made epoch 0 and the Commit that adds the others by itself.
 * The server never sees that Commit, so nobody comes in by it who is not a member of the group before it, and who is invited shows in
 * the KeyPackages that this server handed out. Whether a Welcome holds the PSK of the group before it only its members can tell.
 */
@Injectable()
export class FoundingMembers {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN' | 'KEY_PACKAGE_MAX_LIFETIME'>,
    private readonly reinitialized: Reinitialized,
    private readonly x509: X509Credentials,
    private readonly link: FederationLink,
  ) {}

  /** The group that a new one succeeds or branches from: for members of that only. */
  async originOf(caller: Caller, body: CreateGroup): Promise<Origin | undefined> {
    const named = originIn(body)
    if (!named) return undefined
    const access = await openFor(this.pool, named.groupId, caller, `create-${named.kind}`)
    return { ...access, kind: named.kind, announced: await this.reinitialized.announcedBy(access.group) }
  }

  /**
   * Everything that can be said before the tree is hashed; the tree itself, its signatures and the GroupInfo are for the caller to check.
   * @throws InvalidCommit, PolicyRefusal, or Forbidden where the first leaf is not the caller's
   */
  async examine(caller: Caller, origin: Origin, { groupInfo, tree, welcomes }: LaterBeginning): Promise<Invited> {
    const present = await presentClients(this.pool, origin.group.gid)
    // No more leaves are looked at than the group before can have brought along.
    if (tree.leaves.length > present.size) throw new InvalidCommit('founding-members')
    const [first, others] = this.leavesOf(tree)
    if (groupInfo.signer !== 0) throw new InvalidCommit('founding-leaves')
    await requireOwnLeaf(this.pool, caller, memberAt(0, first))
    const deviceOf = this.membersOf(present, caller, others)
    if (origin.kind === 'successor') refuseMissing(present, caller, deviceOf)
    const claims = others.map(({ identity, signatureKey }) => ({ deviceId: deviceOf.get(identity ?? '') ?? 0n, publicKey: signatureKey }))
    if ((await unregisteredAmong(this.pool, claims)).length > 0) throw new InvalidCommit('credential-key')
    const routes = await routeByClaims(this.pool, welcomes, groupInfo.groupContext.cipherSuite)
    const invited = new Set(routes.added.map(({ deviceId }) => deviceId))
    const named = [...deviceOf.values()]
    if (invited.size !== named.length || named.some((deviceId) => !invited.has(deviceId))) throw new InvalidCommit('welcome-members')
    return { ...routes, usedRefs: welcomes.flatMap(({ value }) => value.refs) }
  }

  isListed({ userId }: Caller): Promise<boolean> {
    return hasDeviceList(this.pool, userId)
  }

  /** Of the leaves with which a group begins (docs/identity.md §4). @param extensions of its GroupContext @throws InvalidCommit */
  async requireCertificates(
    leaves: readonly LeafNode[],
    identities: GroupPolicy['identities'],
    extensions: readonly Extension[],
    origin: Origin | undefined,
  ): Promise<void> {
    const requirement = requirementOf(identities, extensions)
    const named = leaves.flatMap(namedLeaf)
    for (const rule of (await this.x509.faultsOf(named)).values()) throw new InvalidCommit(rule)
    if (requirement === 'none' && named.every(({ extension }) => extension === undefined)) return
    await introduceLeaves(this.link, this.config.DOMAIN, named)
    const devices = await devicesOfLeaves(this.pool, origin?.group.gid ?? 0n, named, requirement !== 'none')
    // A user who is in the group before it with another identity, and not in this one, does not count.
    const founding = new Set(named.map(({ client }) => client))
    const others = [...devices.listed.values()].flatMap(({ ofOtherIdentity }) => ofOtherIdentity)
    const gone = new Set(others.filter((client) => !founding.has(client)))
    refuseFaults(await judgeCertificates(named, devices, requirement, gone, this.config.DOMAIN))
  }

  /** RFC 9420 §11, §12.1.1: one Commit after epoch 0 the creator has the first leaf, and all others one that came in a KeyPackage. */
  private leavesOf({ leaves }: TreeNodes): [first: LeafNode, others: Member[]] {
    const [first, ...others] = leaves
    const limits = lifetimeLimits(new Date(), this.config.KEY_PACKAGE_MAX_LIFETIME)
    if (!first) throw new InvalidCommit('founding-leaves')
    const added = others.map((leaf, index) => {
      if (leaf?.source.kind !== 'key-package') throw new InvalidCommit('founding-leaves')
      const expired = leafNodeLifetime(leaf, limits)
      if (expired) throw new InvalidCommit(expired.rule)
      return memberAt(index + 1, leaf)
    })
    return [first, added]
  }

  /** The devices of leaves, by client URI. */
  private membersOf(present: ReadonlyMap<string, PresentClient>, caller: Caller, others: readonly Member[]): Map<string, bigint> {
    const devices = new Map<string, bigint>()
    for (const { identity } of others) {
      const known = identity === undefined ? undefined : present.get(identity)
      if (identity === undefined || !known || known.leaving) throw new InvalidCommit('founding-members')
      if (identity === caller.client || devices.has(identity)) throw new InvalidCommit('one-leaf-per-client')
      if (parseClientUri(identity)?.domain !== this.config.DOMAIN)
        throw new PolicyRefusal('Members of other providers are added by a Commit: such a group begins at epoch 0.')
      devices.set(identity, known.deviceId)
    }
    return devices
  }
}

/** RFC 9420 §11.2: a reinitialized group has the same members, so its creator leaves out nobody but those who are on their way out. */
function refuseMissing(present: ReadonlyMap<string, PresentClient>, caller: Caller, taken: ReadonlyMap<string, bigint>): void {
  const missing = [...present].some(([client, { leaving }]) => !leaving && client !== caller.client && !taken.has(client))
  if (missing) throw new InvalidCommit('founding-members')
}
