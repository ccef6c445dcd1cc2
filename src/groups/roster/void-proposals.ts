import type { Sql } from '../../platform/postgres/sql.js'
import { hex } from '../../protocol/bytes.js'
import { keyPackageContent } from '../../protocol/mls/key-package-validation.js'
import type { LifetimeLimits } from '../../protocol/mls/leaf-node-rules.js'
import type { Commit } from '../../protocol/mls/structures/commit.js'
import type { Proposal } from '../../protocol/mls/structures/proposal.js'
import type { PublicMessage, Sender } from '../../protocol/mls/structures/public-message.js'
import type { PendingProposal, SentProposal } from '../../protocol/public-group/proposals/pending-proposals.js'
import { memberAt, type PublicGroupState } from '../../protocol/public-group/state.js'
import { joinerOf } from '../access/access.js'
import { readGroupAndStanding } from '../access/access.repository.js'
import { judgeExternalJoin, judgeRosterChange, removalReason, type RosterChange } from '../authority/rules.js'
import type { CommitContext } from '../commit/commit-context.js'
import { isGroupIdTaken } from '../repository/groups.repository.js'
import { ProposalsVoid } from '../groups.problems.js'
import { entriesOfMessages } from '../state/submission-refusals.js'
import type { LeafCertificates } from './certified-leaves.js'
import type { Device, LeafDevices } from './roster.repository.js'
import { deviceOf, identityAt, memberOf } from './roster.js'
import { vouchersOf } from './vouchers.js'

/**
 * What was right when it was proposed may not be any more: the joiner was banned or the policy does not let it in, a device was revoked, the
 * proposer has lost the right, another group has the id that a ReInit announces. Nobody carries that out, also no admin, whose client commits what waits without looking; the refusal names it.
 * @param carried the proposals of a Commit; `devices` are those of everybody in it
 * @throws ProposalsVoid
 */
export async function refuseVoid(
  sql: Sql,
  context: CommitContext,
  state: PublicGroupState,
  carried: readonly SentProposal[],
  devices: LeafDevices,
): Promise<void> {
  const found = new Set<Proposal>()
  for (const sent of carried) {
    if (sent.byReference && (await isVoid(sql, context, state, sent, devices))) found.add(sent.proposal)
  }
  if (found.size === 0) return
  const messages = state.pending.values().flatMap(({ proposal, bytes }) => (found.has(proposal) ? [bytes] : []))
  throw await namedVoid(sql, context, messages)
}

/** Of leaves whose certificate does not serve, the device counts as one that cannot use its key. */
export function unusable(devices: LeafDevices, { faults }: LeafCertificates): LeafDevices {
  return faults.size === 0 ? devices : { ...devices, unregistered: new Set([...devices.unregistered, ...faults.keys()]) }
}

/** @param messages the PublicMessages of the Proposals, as they are in the log */
export async function namedVoid(sql: Sql, { group, caller }: CommitContext, messages: readonly Uint8Array[]): Promise<ProposalsVoid> {
  return new ProposalsVoid(group.epoch, await entriesOfMessages(sql, group, caller.deviceId, messages))
}

/** Adds that a Commit has by reference and whose KeyPackage has expired since. */
export function expiredAmong(state: PublicGroupState, { content }: PublicMessage, limits: LifetimeLimits | undefined): PendingProposal[] {
  return content.kind === 'commit' ? carriedBy(state, content).filter(({ proposal }) => isExpired(proposal, limits)) : []
}

function carriedBy({ pending }: PublicGroupState, { proposals }: Commit): PendingProposal[] {
  return proposals.flatMap((item) => (item.kind === 'reference' ? (pending.get(hex(item.ref)) ?? []) : []))
}

export function isExpired(proposal: Proposal, limits: LifetimeLimits | undefined): boolean {
  return proposal.kind === 'add' && keyPackageContent(proposal.keyPackage, limits)?.rule === 'leaf-node-lifetime'
}

/** Whether a device may still be added by its own Add: it is in use, with the key that it asked with, and the policy of now lets it in. */
export async function mayStillJoin(
  sql: Sql,
  { group }: CommitContext,
  device: Device & { client: string },
  registered: boolean,
): Promise<boolean> {
  if (device.revoked || !registered) return false
  const found = await readGroupAndStanding(sql, group.groupId, device)
  if (!found?.standing) return false
  const vouchers = await vouchersOf(sql, group.gid, device, found.standing)
  const joiner = joinerOf(found.standing, { vouched: vouchers !== undefined, codeMatches: false })
  return judgeExternalJoin(found.standing.policy, joiner).kind === 'allowed'
}

async function isVoid(
  sql: Sql,
  context: CommitContext,
  state: PublicGroupState,
  sent: SentProposal,
  devices: LeafDevices,
): Promise<boolean> {
  const { proposal, sender } = sent
  const proposer = deviceProposing(state, sender, devices)
  if (proposal.kind === 'add') {
    const member = memberAt(-1, proposal.keyPackage.leafNode)
    const device = deviceOf(devices.directory, member)
    const registered = !devices.unregistered.has(member.identity ?? '')
    if (!proposer) return !(await mayStillJoin(sql, context, { ...device, client: member.identity ?? '' }, registered))
    return device.revoked || !registered || lacksRight(context, proposer, { added: [device] })
  }
  if (!proposer) return false
  switch (proposal.kind) {
    case 'update':
      return proposer.revoked || isUnregistered(state, sender, devices)
    case 'remove':
      return lacksRight(context, proposer, { removed: removalBy(context, state, proposer, proposal.removed, devices) })
    case 'reinit':
      return lacksRight(context, proposer, { reinit: true }) || isGroupIdTaken(sql, proposal.groupId)
    case 'group-context-extensions':
    case 'app-data-update':
      return lacksRight(context, proposer, { extensions: true })
    default:
      return proposal.kind === 'psk' && !proposer.admin
  }
}

function lacksRight({ standing }: CommitContext, by: Device, wish: Partial<Omit<RosterChange, 'by'>>): boolean {
  return judgeRosterChange(standing.policy, { by, added: [], removed: [], reinit: false, ...wish }).kind === 'refused'
}

/** The Remove of a leaf as if its proposer had committed it. */
function removalBy(
  { pending }: CommitContext,
  state: PublicGroupState,
  proposer: Device,
  leafIndex: number,
  { directory }: LeafDevices,
): RosterChange['removed'] {
  const target = memberOf(state, leafIndex)
  if (!target) return []
  const { deviceId, userId, admin } = deviceOf(directory, target)
  const asked = pending.find((one) => one.deviceId === deviceId)?.reason
  const by = { committerUserId: proposer.userId, proposer: proposer.userId, admin: proposer.admin, pending: asked }
  return [{ userId, admin, reason: removalReason(userId, by) }]
}

function isUnregistered(state: PublicGroupState, sender: Sender, { unregistered }: LeafDevices): boolean {
  return sender.kind === 'member' && identityAt(state, sender.leafIndex).some((identity) => unregistered.has(identity))
}

/** The device of the member that sent a proposal; undefined for a sender that is none. */
export function deviceProposing(
  state: PublicGroupState,
  sender: Sender,
  { directory }: { directory: ReadonlyMap<string, Device> },
): Device | undefined {
  const [identity] = sender.kind === 'member' ? identityAt(state, sender.leafIndex) : []
  return identity === undefined ? undefined : directory.get(identity)
}
