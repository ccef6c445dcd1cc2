import { decodeMessage } from '../../src/protocol/mls/message.js'
import { SCHEME_OF_SUITE, verifyWithLabel } from '../../src/protocol/mls/signature.js'
import { validateCommit } from '../../src/protocol/public-group/commit.js'
import { treeBytes, type PublicGroupState } from '../../src/protocol/public-group/state.js'
import { publicMessage } from '../../test/support/mls/follower.js'
import { forgeKeyPackage, newKey, type Forge } from '../../test/support/mls/forge.js'
import { byValue, proposals } from '../../test/support/mls/proposals.js'
import { describeSamples, printTable, round } from '../samples.js'
import { grownGroup, shuffled } from './grown-group.js'
import { tsMls } from './ts-mls.js'
import { withoutSignatureChecks } from '../../test/support/mls/without-signature-checks.js'

/**
 * `npm run bench -- public-group/commits`: what a Commit with a path costs a server in microseconds, by the size of the group.
 * `beyond` is to validate and apply it with every signature check answered at once, `whole` with them, and `signatures` is as
 * many checks alone. Beside it ts-mls 1.6.4, as far as it has functions for the public half: its decoders, merging a path,
 * and hashing the tree, which it does again for each epoch.
 */
const SIZES = [10, 100, 1_000, 10_000]
const WARM_UP = 100
const SAMPLES = 300
/** Each sample is the best of so many, so that what else runs on the machine disturbs less. */
const REPEATS = 3

const KINDS = ['path', 'add', 'remove'] as const
type Kind = (typeof KINDS)[number]

/** A member's KeyPackage has two signatures beside those of the message and of its path's leaf. */
const CHECKS: Readonly<Record<Kind, number>> = { path: 2, add: 4, remove: 2 }

async function forged(forge: Forge, kind: Kind, members: number, committer: number): Promise<Uint8Array> {
  const items = await proposalsOf(kind, members, committer)
  return forge.commit(items, await forge.path(items, committer), committer)
}

async function proposalsOf(kind: Kind, members: number, committer: number): Promise<Uint8Array[]> {
  if (kind === 'add') return [byValue(proposals.add(await forgeKeyPackage(newKey(), 'new')))]
  const another = (committer + 1 + Math.floor(Math.random() * (members - 1))) % members
  return kind === 'remove' ? [byValue(proposals.remove(another))] : []
}

async function measure(forge: Forge, kind: Kind, members: number): Promise<Row> {
  const { state } = forge
  const commits: Uint8Array[] = []
  const committers = shuffled(Array.from({ length: members }, (_, index) => index))
  for (let at = 0; at < WARM_UP + SAMPLES; at++) commits.push(await forged(forge, kind, members, committers[at % members] ?? 0))
  const judge = (bytes: Uint8Array) => judged(state, bytes)
  await withoutSignatureChecks(() => times(commits.slice(0, WARM_UP), judge))
  const measured = commits.slice(WARM_UP)
  const decode = await times(measured, decodeMessage)
  const beyond = await withoutSignatureChecks(() => times(measured, judge))
  const whole = await times(measured, judge)
  const signatures = await times(measured, (bytes) => checkSignatures(state, bytes, CHECKS[kind]))
  return { members, commit: kind, bytes: measured[0]?.length ?? 0, ...columns({ decode, beyond, whole, signatures }) }
}

type Row = Record<string, string | number> & { members: number; commit: Kind }

async function judged(state: PublicGroupState, bytes: Uint8Array): Promise<void> {
  const verdict = await validateCommit(state, publicMessage(bytes))
  if (verdict.kind === 'refused') throw new Error(verdict.rule)
}

/** As `validateCommit` does: first the message's, then what it brings together. */
async function checkSignatures(state: PublicGroupState, bytes: Uint8Array, count: number): Promise<void> {
  const { tbs, signature, sender } = publicMessage(bytes)
  const key = sender.kind === 'member' ? state.tree.leaf(sender.leafIndex)?.signatureKey : undefined
  const scheme = SCHEME_OF_SUITE.get(state.groupContext.cipherSuite)
  if (key === undefined || scheme === undefined) throw new Error('nobody to sign')
  const check = () => verifyWithLabel(scheme, key, 'FramedContentTBS', tbs, signature)
  await check()
  await Promise.all(Array.from({ length: count - 1 }, check))
}

/** Microseconds. */
async function times<T>(items: readonly T[], work: (item: T) => unknown): Promise<number[]> {
  const samples: number[] = []
  for (const item of items) {
    let best = Number.POSITIVE_INFINITY
    for (let repeat = 0; repeat < REPEATS; repeat++) {
      const began = performance.now()
      await work(item)
      best = Math.min(best, 1000 * (performance.now() - began))
    }
    samples.push(best)
  }
  return samples
}

function columns(measured: Record<string, number[]>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(measured).flatMap(([name, samples]) => {
      const { p50, p99 } = describeSamples(samples)
      return [
        [`${name} p50`, p50],
        [`${name} p99`, p99],
      ]
    }),
  )
}

/** How many times as long as in a group of a tenth of the size; log n grows by 3.3 levels each time. */
function growth(rows: readonly Row[], kind: Kind): Record<string, string | number> {
  const ofKind = rows.filter(({ commit }) => commit === kind)
  const ratios = ofKind.slice(1).map((row, at) => {
    const before = Number(ofKind[at]?.['beyond p50'])
    return [`${ofKind[at]?.members} → ${row.members}`, round(Number(row['beyond p50']) / before)] as const
  })
  return { 'growth of beyond': kind, ...Object.fromEntries(ratios) }
}

const rows: Row[] = []
const beside: Record<string, string | number>[] = []
for (const members of SIZES) {
  const forge = await grownGroup(members)
  for (const kind of KINDS) rows.push(await measure(forge, kind, members))
  beside.push({ 'ts-mls, members': members, ...(await tsMls(treeBytes(forge.state), await forged(forge, 'path', members, 0))) })
}
printTable(rows)
printTable(KINDS.map((kind) => growth(rows, kind)))
printTable(beside)
