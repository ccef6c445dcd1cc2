import type { RuleName } from '../../../src/protocol/mls/rules.js'
import type { Extension } from '../../../src/protocol/mls/structures/extension.js'
import { validateCommit, type CommitBundle, type ValidCommit } from '../../../src/protocol/public-group/commit.js'
import { validateProposal } from '../../../src/protocol/public-group/proposals/proposal.js'
import { addProposal } from '../../../src/protocol/public-group/state.js'
import { TlsWriter } from '../../../src/protocol/tls/writer.js'
import { publicMessage } from '../../support/mls/follower.js'
import { Forge, newKey, type Forgery } from '../../support/mls/forge.js'
import type { Key } from '../../support/mls/forge-keys.js'
import type { PathChanges } from '../../support/mls/forge-path.js'

export type Verdict = { kind: 'valid' | 'seeded' | 'applied' } | { kind: 'refused' | 'invalid' | 'broken'; rule: RuleName; section: string }

/** A message, or a tree, that would be right but for one thing. */
export interface NegativeCase {
  readonly rule: RuleName
  readonly title: string
  readonly verdict: () => Promise<Verdict>
}

/** Six members of one kind, the first of whom has committed: the nodes above it hold keys. */
export const group = once(async () => {
  const before = await Forge.group(6)
  return before.at(((await judgeCommit(before, [])) as ValidCommit).next)
})

export function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => (made ??= make())
}

export interface CommitChanges {
  readonly by?: number
  /** `null` leaves the path out. */
  readonly path?: PathChanges | null
  readonly forgery?: Forgery
  readonly bundle?: CommitBundle
}

/** The verdict on a member's Commit of these proposals, with a path that fits but for the changes. */
export async function judgeCommit(forge: Forge, items: readonly Uint8Array[], changes: CommitChanges = {}): Promise<Verdict> {
  const { by = 0, path = {}, forgery = {}, bundle = {} } = changes
  const update = path === null ? undefined : await forge.path(items, by, path)
  return validateCommit(forge.state, publicMessage(await forge.commit(items, update, by, forgery)), bundle)
}

/** The same for a joiner's external Commit. */
export async function judgeExternal(
  forge: Forge,
  items: readonly Uint8Array[],
  path: PathChanges | null = {},
  key: Key = newKey(),
): Promise<Verdict> {
  const update = path === null ? undefined : await forge.path(items, key, path)
  const commit = await forge.commit(items, update, 0, { sender: { kind: 'new-member-commit' }, key })
  return validateCommit(forge.state, publicMessage(commit))
}

export async function judgeProposal(forge: Forge, proposal: Uint8Array, by = 0, forgery: Forgery = {}): Promise<Verdict> {
  return validateProposal(forge.state, publicMessage(await forge.proposal(proposal, by, forgery)))
}

/** The group with a proposal that waits in it, right or wrong, and the reference to it. */
export async function waiting(forge: Forge, proposal: Uint8Array, by: number): Promise<{ forge: Forge; ref: Uint8Array }> {
  const state = addProposal(forge.state, publicMessage(await forge.proposal(proposal, by)))
  const last = [...state.pending.values()].at(-1)
  return { forge: forge.at(state), ref: last?.ref ?? new Uint8Array() }
}

export function requiredCapabilities(required: { extensions?: number[]; proposals?: number[]; credentials?: number[] }): Extension {
  const writer = new TlsWriter()
  for (const list of [required.extensions, required.proposals, required.credentials])
    writer.vector(list ?? [], (item, type) => item.uint16(type))
  return { type: 3, data: writer.written() }
}

export function appDataDictionary(...components: number[]): Extension {
  return { type: 6, data: new TlsWriter().vector(components, (item, id) => item.uint16(id).opaque(Buffer.of(id))).written() }
}

/** Members that support application data. */
export const withAppData = { leaf: () => ({ capabilities: { extensions: [6, 0xf000], proposals: [8, 9, 0x000a] } }) }
