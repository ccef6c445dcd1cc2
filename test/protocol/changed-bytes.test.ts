import { beforeAll, describe, expect, it } from '@jest/globals'
import { decodeMessage } from '../../src/protocol/mls/message.js'
import { keyPackageRef } from '../../src/protocol/mls/hashes.js'
import { signWithLabel } from '../../src/protocol/mls/signature.js'
import { applyCommit } from '../../src/protocol/public-group/apply-commit.js'
import { validateCommit, type ValidCommit } from '../../src/protocol/public-group/commit.js'
import { addProposal } from '../../src/protocol/public-group/state.js'
import { TlsWriter } from '../../src/protocol/tls/writer.js'
import { groupInfoMessage, publicMessage } from '../support/mls/follower.js'
import { Forge, forgeGroupInfo, forgeKeyPackage, forgeWelcome, newKey } from '../support/mls/forge.js'
import { newHpkeKey } from '../support/mls/forge-keys.js'
import { commitLayout, welcomeLayout, type Field } from '../support/mls/layout.js'
import { byReference, byValue, proposals } from '../support/mls/proposals.js'

/** What a server cannot check: only members have the keys (docs/mls-rules.md). */
const UNCHECKED = new Set([
  'membership_tag',
  'encrypted_group_secrets: kem_output',
  'encrypted_group_secrets: ciphertext',
  'encrypted_group_info',
])
/** What a committer may choose, so that its own signature over something else is as good. */
const CHOSEN = new Set(['authenticated_data', 'path: kem_output', 'path: ciphertext'])
/** One bit, then all of them. */
const MASKS = [0x01, 0x80, 0xff]
const TAG = new Uint8Array(32)

interface Bundle {
  readonly commit: Uint8Array
  readonly welcome: Uint8Array
  readonly groupInfo: Uint8Array
}

let forge: Forge
let right: Bundle

/** A Commit with a path, an Add and new extensions by value and a Remove by reference, its Welcome, and its GroupInfo. */
beforeAll(async () => {
  const before = await Forge.group(5)
  const proposal = publicMessage(await before.proposal(proposals.remove(2), 1))
  forge = before.at(addProposal(before.state, proposal))
  const [pending] = forge.state.pending.values()
  const keyPackage = await forgeKeyPackage(newKey(), 'new')
  const items = [byReference(pending!.ref), byValue(proposals.add(keyPackage)), byValue(proposals.groupContextExtensions([]))]
  const forgery = { confirmationTag: TAG, authenticatedData: Buffer.from('aad') }
  const commit = await forge.commit(items, await forge.path(items, 0), 0, forgery)
  const { next } = (await validateCommit(forge.state, publicMessage(commit))) as ValidCommit
  const extensions = [{ type: 4, data: new TlsWriter().opaque(newHpkeKey()).written() }]
  const groupInfo = await forgeGroupInfo(next.groupContext, forge.key(0), { confirmationTag: TAG, extensions })
  right = { commit, welcome: forgeWelcome([keyPackageRef(1, keyPackage)!]), groupInfo }
})

async function accepted({ commit, welcome, groupInfo }: Bundle): Promise<boolean> {
  const [message, invitation, info] = [commit, welcome, groupInfo].map(decodeMessage)
  if (message?.kind !== 'decoded' || message.value.wireFormat !== 'public-message') return false
  if (invitation?.kind !== 'decoded' || invitation.value.wireFormat !== 'welcome') return false
  if (info?.kind !== 'decoded' || info.value.wireFormat !== 'group-info') return false
  const verdict = await validateCommit(forge.state, message.value.body, { groupInfo: info.value.body, welcomes: [invitation.value.body] })
  return verdict.kind === 'valid'
}

function flipped(bytes: Uint8Array, at: number, mask: number): Uint8Array {
  const changed = bytes.slice()
  changed[at] = (changed[at] ?? 0) ^ mask
  return changed
}

/** The positions at which no change of the tried ones was noticed, or some were not. */
async function unnoticed(
  length: number,
  tryAt: (at: number, mask: number) => Promise<boolean>,
): Promise<{ some: number[]; all: number[] }> {
  const some: number[] = []
  const all: number[] = []
  for (let at = 0; at < length; at++) {
    const results = await Promise.all(MASKS.map((mask) => tryAt(at, mask)))
    if (results.includes(true)) some.push(at)
    if (!results.includes(false)) all.push(at)
  }
  return { some, all }
}

function positions(fields: readonly Field[], names: ReadonlySet<string>): number[] {
  return fields
    .filter(({ name }) => names.has(name))
    .flatMap(({ from, to }) => Array.from({ length: to - from }, (_, at) => from + at))
    .sort((a, b) => a - b)
}

describe('any changed byte of an accepted bundle', () => {
  it.each(['commit', 'welcome', 'groupInfo'] as const)('is noticed in its %s, but in what only members can check', async (part) => {
    expect(await accepted(right)).toBe(true)
    const layout = { commit: commitLayout, welcome: welcomeLayout, groupInfo: () => [] }[part](right[part])
    const { some, all } = await unnoticed(right[part].length, (at, mask) => accepted({ ...right, [part]: flipped(right[part], at, mask) }))
    expect(some).toEqual(positions(layout, UNCHECKED))
    expect(all).toEqual(some)
  })
})

describe('any changed byte of a Commit that its committer signs again', () => {
  /** With the signature, and a GroupInfo of the epoch that the changed Commit opens. */
  async function signedAgain(at: number, mask: number): Promise<boolean> {
    const { privateKey } = forge.key(0)
    const tbs = flipped(publicMessage(right.commit).tbs, at, mask)
    const signature = await signWithLabel(privateKey, 'FramedContentTBS', Buffer.concat([tbs, forge.state.groupContext.bytes]))
    const commit = new TlsWriter().raw(tbs).opaque(signature).opaque(TAG).opaque(TAG).written()
    const decoded = decodeMessage(commit)
    if (decoded.kind === 'malformed' || decoded.value.wireFormat !== 'public-message') return false
    const applied = applyCommit(forge.state, decoded.value.body)
    if (applied.kind === 'refused') return false
    const groupInfo = await forgeGroupInfo(applied.next.groupContext, forge.key(0), { confirmationTag: TAG })
    return accepted({ ...right, commit, groupInfo })
  }

  it('is noticed, but in what a committer may choose', async () => {
    const { tbs } = publicMessage(right.commit)
    const { some, all } = await unnoticed(tbs.length, signedAgain)
    const expected = positions(commitLayout(right.commit), CHOSEN)
    expect(expected.length).toBeGreaterThan(3 * (32 + 48))
    expect(some).toEqual(expected)
    expect(all).toEqual(some)
  })
})

it('a GroupInfo that its signer signs again may have another external_pub, which only members can check', async () => {
  const { groupContext } = groupInfoMessage(right.groupInfo)
  const extensions = [{ type: 4, data: new TlsWriter().opaque(newHpkeKey()).written() }]
  const groupInfo = await forgeGroupInfo(groupContext, forge.key(0), { confirmationTag: TAG, extensions })
  expect(await accepted({ ...right, groupInfo })).toBe(true)
})
