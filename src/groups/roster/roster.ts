import { Forbidden } from '../../platform/http/problem.js'
import type { Sql } from '../../platform/postgres/sql.js'
import { sameBytes } from '../../protocol/bytes.js'
import { identityBytes } from '../../protocol/mls/structures/credential.js'
import type { ValidCommit } from '../../protocol/public-group/commit.js'
import type { SentProposal } from '../../protocol/public-group/proposals/pending-proposals.js'
import { type Member, type PublicGroupState, leaf, memberAt } from '../../protocol/public-group/state.js'
import type { Tree } from '../../protocol/public-group/tree/tree.js'
import { canonicalKey } from '../../protocol/signature-key.js'
import { InvalidCommit } from '../groups.problems.js'
import { namedLeaf } from './certified-leaves.js'
import { unregisteredAmong, type Device, type LeafDevices, type NamedLeaf } from './roster.repository.js'

/** Clients of a Commit, by URI. */
export type Directory = ReadonlyMap<string, Device>

/** Everyone that a Commit names: whom it touches, with the keys of new and changed leaves, and whose proposals it carries out. */
export function leavesNamed(before: PublicGroupState, verdict: ValidCommit): NamedLeaf[] {
  const changed = changedLeaves(verdict)
  const proposers = verdict.proposals.flatMap(({ sender }) => (sender.kind === 'member' ? identityAt(before, sender.leafIndex) : []))
  const others = new Set([...proposers, ...verdict.removed.flatMap(({ identity }) => identity ?? [])])
  for (const { client } of changed) others.delete(client)
  return [...changed, ...[...others].map((client) => ({ client, publicKey: null }))]
}

/** The new and changed leaves, that of a joiner from outside among them. */
export function changedLeaves(verdict: ValidCommit): NamedLeaf[] {
  const joiner = verdict.external ? [verdict.committer] : []
  return [...verdict.added, ...verdict.updated, ...joiner].flatMap(({ leafIndex }) => {
    const node = leaf(verdict.next, leafIndex)
    return node ? namedLeaf(node) : []
  })
}

/** The client URI in a leaf's credential; none for a blank leaf, and for a credential of another kind. */
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

/** The submitting device must be the one whose leaf signs: by its URI and by a registered key (§4). @throws Forbidden */
export async function requireOwnLeaf(sql: Sql, caller: { client: string; deviceId: bigint }, signer: Member | undefined): Promise<void> {
  const { signatureKey } = leafOf(caller, signer)
  const unregistered = await unregisteredAmong(sql, [{ deviceId: caller.deviceId, publicKey: signatureKey }])
  if (unregistered.length > 0) throw notRegistered()
}

/** The same, by the keys that are registered for the caller's device, in canonical form. @throws Forbidden */
export function requireLeafWithKey(caller: { client: string }, keys: readonly Uint8Array[], signer: Member | undefined): void {
  const key = canonicalKey(leafOf(caller, signer).signatureKey)?.publicKey
  if (key === undefined || !keys.some((one) => sameBytes(one, key))) throw notRegistered()
}

function leafOf(caller: { client: string }, signer: Member | undefined): Member {
  if (signer?.identity !== caller.client) throw new Forbidden('The message was signed by the leaf of another device.')
  return signer
}

function notRegistered(): Forbidden {
  return new Forbidden("The leaf's signature key is not registered for this device.")
}

/** The Adds of a Commit with the leaves that they made, and who proposed each. */
export function addsOf(verdict: ValidCommit): (ValidCommit['added'][number] & Pick<SentProposal, 'byReference' | 'sender'>)[] {
  const adds = verdict.proposals.filter(({ proposal }) => proposal.kind === 'add')
  return verdict.added.flatMap((member, at) => {
    const sent = adds[at]
    return sent ? [{ ...member, byReference: sent.byReference, sender: sent.sender }] : []
  })
}

/** Every leaf that comes or changes: of an active device, with a key that the device registered, and one leaf per device. */
export function checkNewLeaves(before: PublicGroupState, verdict: ValidCommit, { directory, unregistered }: LeafDevices): void {
  for (const member of verdict.updated) {
    const [identity] = identityAt(before, member.leafIndex)
    if (identity !== member.identity) throw new InvalidCommit('credential-changed')
  }
  const changed = [...verdict.added, ...verdict.updated]
  if (changed.some((member) => deviceOf(directory, member).revoked)) throw new InvalidCommit('credential-revoked')
  if (unregistered.size > 0) throw new InvalidCommit('credential-key')
  refuseSecondLeaf(verdict.next.tree, verdict.external ? [...verdict.added, verdict.committer] : verdict.added)
}

/** RFC 9420 §12.2: no Add for a client that is in the group already; a client is what the application says, here its URI. */
export function refuseSecondLeaf(tree: Tree, added: readonly Pick<Member, 'credential'>[]): void {
  for (const { credential } of added) {
    const identity = identityBytes(credential)
    if (identity !== undefined && tree.leavesNamed(identity).length > 1) throw new InvalidCommit('one-leaf-per-client')
  }
}

/** Who is at a leaf; undefined for a blank one. */
export function memberOf(state: PublicGroupState, leafIndex: number): Member | undefined {
  const node = leaf(state, leafIndex)
  return node && memberAt(leafIndex, node)
}
