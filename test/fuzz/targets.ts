import { randomBytes } from 'node:crypto'
import { verifyKeyPackage } from '../../src/protocol/mls/key-package-validation.js'
import { compareFraming } from '../../src/protocol/mls/framing.js'
import { decodeMessage } from '../../src/protocol/mls/message.js'
import type { GroupInfo } from '../../src/protocol/mls/structures/group-info.js'
import type { PublicMessage } from '../../src/protocol/mls/structures/public-message.js'
import { decodeRatchetTree } from '../../src/protocol/mls/structures/ratchet-tree.js'
import { applyCommit } from '../../src/protocol/public-group/apply-commit.js'
import { validateCommit, type CommitBundle, type ValidCommit } from '../../src/protocol/public-group/commit.js'
import { validateProposal } from '../../src/protocol/public-group/proposals/proposal.js'
import { seed } from '../../src/protocol/public-group/seed.js'
import { deserialize, serialize } from '../../src/protocol/public-group/snapshot.js'
import { addProposal, treeBytes, type PublicGroupState } from '../../src/protocol/public-group/state.js'
import { TlsWriter } from '../../src/protocol/tls/writer.js'
import { groupInfoMessage, publicMessage } from '../support/mls/follower.js'
import { Forge, forgeGroupInfo, forgeKeyPackage, forgeLeaf, forgeWelcome, newKey } from '../support/mls/forge.js'
import { byReference, byValue, proposals } from '../support/mls/proposals.js'
import { identityTargets } from './identity-targets.js'

/** Takes any bytes, and says in a word or two what came of them. Must not throw. */
export interface Target {
  readonly name: string
  readonly seeds: readonly Uint8Array[]
  run(bytes: Uint8Array): Promise<string>
}

const LIFETIMES = { now: new Date(1_000_000_000_000), maxLifetime: 2 ** 41 }

/** A group in use, with right messages of every kind to begin with. */
export async function fuzzTargets(): Promise<Target[]> {
  const { forge, bundle, handshakes } = await groupInUse()
  const { state } = forge
  const groupInfo = await forgeGroupInfo(state.groupContext, forge.key(0), {})
  return [
    { name: 'message', seeds: [...handshakes, groupInfo, ...(await otherMessages())], run: (bytes) => message(state, bundle, bytes) },
    { name: 'tree', seeds: [treeBytes(state)], run: (bytes) => tree(groupInfoMessage(groupInfo), bytes) },
    ...(await identityTargets()),
    { name: 'snapshot', seeds: [serialize(state)], run: async (bytes) => snapshot(bytes) },
  ]
}

async function message(state: PublicGroupState, bundle: CommitBundle, bytes: Uint8Array): Promise<string> {
  const decoded = decodeMessage(bytes)
  if (decoded.kind === 'malformed') return decoded.reason
  const { value } = decoded
  if (Buffer.compare(value.bytes, bytes) !== 0) throw new Error('what was decoded is not what was there')
  const framing = compareFraming(value)
  if (framing.kind === 'disagreed') throw new Error(`ts-mls reads the framing differently: ${framing.field}`)
  switch (value.wireFormat) {
    case 'public-message':
      return handshake(state, bundle, value.body)
    case 'key-package':
      return outcome(await verifyKeyPackage(value.body, LIFETIMES))
    case 'group-info':
      return outcome(await seed({ groupInfo: value.body, ratchetTree: state.tree.nodes() }))
    case 'private-message':
    case 'welcome':
      return value.wireFormat
  }
}

async function handshake(state: PublicGroupState, bundle: CommitBundle, body: PublicMessage): Promise<string> {
  if (body.content.kind === 'proposal') {
    const verdict = await validateProposal(state, body, LIFETIMES)
    if (verdict.kind === 'valid') roundTrip(addProposal(state, body))
    return outcome(verdict)
  }
  const alone = await validateCommit(state, body, { lifetimes: LIFETIMES })
  if (alone.kind === 'valid') roundTrip(alone.next)
  const applied = applyCommit(state, body)
  if (alone.kind === 'valid' && applied.kind === 'refused') throw new Error(`valid, but not to be applied: ${applied.rule}`)
  return `${outcome(alone)}, ${outcome(await validateCommit(state, body, bundle))}, ${outcome(applied)}`
}

async function tree(groupInfo: GroupInfo, bytes: Uint8Array): Promise<string> {
  const decoded = decodeRatchetTree(bytes)
  if (decoded.kind === 'malformed') return decoded.reason
  const ratchetTree = decoded.value
  // As if the signer vouched for whatever tree it is, so that the rules for trees are reached.
  const own = await seed({ groupInfo, ratchetTree, scrutiny: 'full' })
  return outcome(own)
}

function snapshot(bytes: Uint8Array): string {
  const decoded = deserialize(bytes)
  if (decoded.kind === 'malformed') return decoded.reason
  roundTrip(decoded.value)
  return 'decoded'
}

/** A state that the server got to can be written down and read again. */
function roundTrip(state: PublicGroupState): void {
  const bytes = serialize(state)
  const again = deserialize(bytes)
  if (again.kind === 'malformed') throw new Error(`a state does not come back: ${again.reason}`)
  if (Buffer.compare(serialize(again.value), bytes) !== 0) throw new Error('a state comes back as another')
}

function outcome(verdict: { kind: string; rule?: string }): string {
  return verdict.rule ?? verdict.kind
}

async function groupInUse(): Promise<{ forge: Forge; bundle: CommitBundle; handshakes: Uint8Array[] }> {
  const before = await Forge.group(9)
  const removal = await before.proposal(proposals.remove(2), 1)
  const withPath = (await validateCommit(before.state, publicMessage(await before.commit([], await before.path([], 5), 5)))) as ValidCommit
  const used = before.at(withPath.next)
  const again = await used.proposal(proposals.remove(2), 1)
  const forge = used.at(addProposal(used.state, publicMessage(again)))
  const [ref] = forge.state.pending.values()
  const keyPackage = await forgeKeyPackage(newKey(), 'new')
  const items = [byReference(ref?.ref ?? new Uint8Array()), byValue(proposals.add(keyPackage))]
  const confirmationTag = randomBytes(32)
  const commit = await forge.commit(items, await forge.path(items, 0), 0, { confirmationTag })
  const { next } = (await validateCommit(forge.state, publicMessage(commit))) as ValidCommit
  const groupInfo = groupInfoMessage(await forgeGroupInfo(next.groupContext, forge.key(0), { confirmationTag }))
  return { forge, bundle: { groupInfo, welcomes: [] }, handshakes: [removal, commit, ...(await moreHandshakes(forge))] }
}

async function moreHandshakes(forge: Forge): Promise<Uint8Array[]> {
  const { groupId, extensions } = { ...forge.state.groupContext, extensions: [...forge.state.groupContext.extensions] }
  const update = await forgeLeaf(forge.key(4), 'm4', { kind: 'update' }, { groupId, leafIndex: 4 })
  const joiner = newKey()
  const joining = [byValue(proposals.externalInit())]
  const kinds = [
    proposals.add(await forgeKeyPackage(newKey(), 'another')),
    proposals.update(update),
    proposals.remove(3),
    proposals.externalPsk('psk'),
    proposals.resumptionPsk(1, 'forged'),
    proposals.reInit('later'),
    proposals.groupContextExtensions(extensions),
    proposals.selfRemove(),
    proposals.appEphemeral(7),
  ]
  const [replacing] = [[byValue(proposals.groupContextExtensions(extensions))]]
  return [
    ...(await Promise.all(kinds.map((proposal) => forge.proposal(proposal, 4)))),
    await forge.commit([], await forge.path([], 6), 6),
    await forge.commit(replacing, await forge.path(replacing, 6), 6),
    await forge.commit([byValue(proposals.reInit('later'))], undefined, 6),
    await forge.commit(joining, await forge.path(joining, joiner), 0, { sender: { kind: 'new-member-commit' }, key: joiner }),
  ]
}

async function otherMessages(): Promise<Uint8Array[]> {
  const keyPackage = new TlsWriter().uint32(0x0001_0005).raw(await forgeKeyPackage(newKey(), 'x'))
  const hidden = new TlsWriter().uint32(0x0001_0002).opaque(randomBytes(8)).uint64(1n).uint8(1)
  hidden.opaque(randomBytes(2)).opaque(randomBytes(30)).opaque(randomBytes(90))
  return [keyPackage.written(), hidden.written(), forgeWelcome([randomBytes(32), randomBytes(32)])]
}
