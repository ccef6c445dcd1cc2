import { resolveClients } from '../../authentication/directory/directory.repository.js'
import type { Sql } from '../../platform/postgres/sql.js'
import type { Member, PublicGroupState } from '../../protocol/public-group/state.js'
import { leaf, memberAt } from '../../protocol/public-group/state.js'
import type { ValidCommit } from '../../protocol/public-group/commit.js'
import { Forbidden } from '../../platform/http/problem.js'
import { InvalidCommit } from '../groups.problems.js'
import { unregisteredAmong } from './registered-keys.repository.js'

export interface Device {
  deviceId: bigint
  userId: bigint
  revoked: boolean
}
/** Clients of a Commit, by URI, as the directory knows them. */
export type Directory = ReadonlyMap<string, Device>

/** Looks up everyone that a Commit touches, in one query. */
export async function directoryOf(sql: Sql, before: PublicGroupState, verdict: ValidCommit): Promise<Directory> {
  const proposers = verdict.proposals.flatMap(({ sender }) => (sender.kind === 'member' ? identityAt(before, sender.leafIndex) : []))
  const touched = [...verdict.added, ...verdict.removed, ...verdict.updated].flatMap(({ identity }) => identity ?? [])
  return resolveClients(sql, [...new Set([...proposers, ...touched])])
}

export function identityAt(state: PublicGroupState, leafIndex: number): string[] {
  const node = leaf(state, leafIndex)
  const identity = node && memberAt(leafIndex, node).identity
  return identity === undefined ? [] : [identity]
}

/** A leaf's credential names a device of the directory; anything else could not be delivered to (RFC 9420 §5.3.1). */
export function deviceOf(directory: Directory, member: Pick<Member, 'identity'>): Device {
  const device = member.identity === undefined ? undefined : directory.get(member.identity)
  if (!device) throw new InvalidCommit('credential-unknown')
  return device
}

/** The submitting device must be the one whose leaf signs: by its URI and by a registered key (§4). */
export async function requireOwnLeaf(sql: Sql, caller: { client: string; deviceId: bigint }, signer: Member | undefined): Promise<void> {
  if (signer?.identity !== caller.client) throw new Forbidden('The message was signed by the leaf of another device.')
  const unregistered = await unregisteredAmong(sql, [{ deviceId: caller.deviceId, publicKey: signer.signatureKey }])
  if (unregistered.length > 0) throw new Forbidden("The leaf's signature key is not registered for this device.")
}

/** Every leaf that comes or changes: of an active device, with a key that the device registered, and one leaf per device. */
export async function checkNewLeaves(sql: Sql, before: PublicGroupState, verdict: ValidCommit, directory: Directory): Promise<void> {
  for (const member of verdict.updated) {
    const [identity] = identityAt(before, member.leafIndex)
    if (identity !== member.identity) throw new InvalidCommit('credential-changed')
  }
  const changed = [...verdict.added, ...verdict.updated]
  if (changed.some((member) => deviceOf(directory, member).revoked)) throw new InvalidCommit('credential-revoked')
  const claims = changed.map((member) => ({ deviceId: deviceOf(directory, member).deviceId, publicKey: member.signatureKey }))
  const unregistered = await unregisteredAmong(sql, claims)
  if (unregistered.length > 0) throw new InvalidCommit('credential-key')
  if (verdict.added.length > 0 || verdict.external) oneLeafPerClient(verdict)
}

/** RFC 9420 §12.2: no Add for a client that is in the group already; a client is what the application says, here its URI. */
function oneLeafPerClient(verdict: ValidCommit): void {
  const { tree } = verdict.next
  for (const { credential } of [...verdict.added, ...(verdict.external ? [verdict.committer] : [])]) {
    const taken = credential.kind === 'basic' && tree.leavesNamed(credential.identity).length > 1
    if (taken) throw new InvalidCommit('one-leaf-per-client')
  }
}
