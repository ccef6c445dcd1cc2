import { decodeMessage } from '../../src/protocol/mls/message.js'
import { SCHEME_OF_SUITE, verifyWithLabel } from '../../src/protocol/mls/signature.js'
import { validateCommit } from '../../src/protocol/public-group/commit.js'
import type { PublicGroupState } from '../../src/protocol/public-group/state.js'
import { treeBytes } from '../../src/protocol/public-group/state.js'
import { publicMessage } from '../../test/support/mls/follower.js'
import { Forge, forgeKeyPackage, newKey } from '../../test/support/mls/forge.js'
import { byValue, proposals } from '../../test/support/mls/proposals.js'
import { printTable, round } from '../samples.js'
import { grownGroup, shuffled } from './grown-group.js'
import { tsMls } from './ts-mls.js'
import { withoutSignatureChecks } from './without-signature-checks.js'

/**
 * `npm run bench -- public-group/commits`: what a Commit costs a server in microseconds, by the size of the group. `beyond` is
 * validating and applying it with every signature check answered at once; `whole` is with them, and `signatures` is they alone.
 * Beside it ts-mls: its decoder, and its merging of a path and hashing of the tree, to which it has no rules of a server.
 */
const SIZES = [10, 100, 1_000, 10_000]
const WARM_UP = 100
const SAMPLES = 300

type Kind = 'path' | 'add' | 'remove'
const KINDS: readonly Kind[] = ['path', 'add', 'remove']

async function forged(forge: Forge, kind: Kind, members: number, committer: number): Promise<Uint8Array> {
  const items = await proposalsOf(kind, members, committer)
  return forge.commit(items, await forge.path(items, committer), committer)
}

async function proposalsOf(kind: Kind, members: number, committer: number): Promise<Uint8Array[]> {
  if (kind === 'add') return [byValue(proposals.add(await forgeKeyPackage(newKey(), 'new')))]
  return kind === 'remove' ? [byValue(proposals.remove((committer + 1 + Math.floor(Math.random() * (members - 1))) % members))] : []
}

async function measure(forge: Forge, kind: Kind, members: number): Promise<Record<string, string | number>> {
  const { state } = forge
  const commits: Uint8Array[] = []
  const committers = shuffled(Array.from({ length: members }, (_, index) => index))
  for (let at = 0; at < WARM_UP + SAMPLES; at++) commits.push(await forged(forge, kind, members, committers[at % members] ?? 0))
  await withoutSignatureChecks(() => times(commits.slice(0, WARM_UP), (bytes) => validated(state, bytes)))
  const measured = commits.slice(WARM_UP)
  const decode = await times(measured, decodeMessage)
  const beyond = await withoutSignatureChecks(() => times(measured, (bytes) => validated(state, bytes)))
  const whole = await times(measured, (bytes) => validated(state, bytes))
  const signatures = await times(measured, (bytes) => signaturesOf(state, bytes))
  return { members, commit: kind, bytes: measured[0]?.length ?? 0, ...columns({ decode, beyond, whole, signatures }) }
}

async function validated(state: PublicGroupState, bytes: Uint8Array): Promise<void> {
  const verdict = await validateCommit(state, publicMessage(bytes))
  if (verdict.kind === 'refused') throw new Error(verdict.rule)
}

/** As many checks, one after the other and then together, as `validateCommit` makes of a Commit with a path. */
async function signaturesOf(state: PublicGroupState, bytes: Uint8Array): Promise<void> {
  const { content, tbs, signature, sender } = publicMessage(bytes)
  if (content.kind !== 'commit' || content.path === undefined || sender.kind !== 'member') throw new Error('another Commit')
  const scheme = SCHEME_OF_SUITE.get(state.groupContext.cipherSuite) ?? 0
  const check = () => verifyWithLabel(scheme, state.tree.leaf(sender.leafIndex)?.signatureKey ?? tbs, 'FramedContentTBS', tbs, signature)
  await check()
  await Promise.all(
    content.proposals.some(({ kind, ...item }) => kind === 'proposal' && 'proposal' in item && item.proposal.kind === 'add')
      ? [check(), check(), check()]
      : [check()],
  )
}

/** Microseconds. Each is the best of three, so that what else runs on the machine disturbs less. */
async function times<T>(items: readonly T[], work: (item: T) => unknown): Promise<number[]> {
  const samples: number[] = []
  for (const item of items) {
    let best = Number.POSITIVE_INFINITY
    for (let repeat = 0; repeat < 3; repeat++) {
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
    Object.entries(measured).flatMap(([name, samples]) => [
      [`${name} p50`, round(quantile(samples, 0.5))],
      [`${name} p99`, round(quantile(samples, 0.99))],
    ]),
  )
}

function quantile(samples: readonly number[], share: number): number {
  return samples.toSorted((a, b) => a - b)[Math.floor(samples.length * share)] ?? Number.NaN
}

const rows: Record<string, string | number>[] = []
const beside: Record<string, string | number>[] = []
for (const members of SIZES) {
  const forge = await grownGroup(members)
  for (const kind of KINDS) rows.push(await measure(forge, kind, members))
  beside.push({ members, ...(await tsMls(treeBytes(forge.state), await forged(forge, 'path', members, 0))) })
}
printTable(rows)
printTable(beside)
