import { TlsWriter } from '../../src/protocol/tls/writer.js'
import { describe, expect, it } from '@jest/globals'
import { keyPackageRef } from '../../src/protocol/mls/hashes.js'
import { validateCommit, type ValidCommit } from '../../src/protocol/public-group/commit.js'
import { MAX_KEY_PACKAGE_BYTES } from '../../src/protocol/public-group/proposals/proposal.js'
import { MAX_ADDS } from '../../src/protocol/public-group/proposals/proposal-list.js'
import { seed } from '../../src/protocol/public-group/seed.js'
import { treeBytes } from '../../src/protocol/public-group/state.js'
import { groupInfoMessage, outcome, publicMessage, ratchetTree, welcomeMessage } from '../support/mls/follower.js'
import { Forge, forgeGroupInfo, forgeKeyPackage, forgeLeaf, forgeWelcome, newKey } from '../support/mls/forge.js'
import { newHpkeKey } from '../support/mls/forge-keys.js'
import { byReference, byValue, proposals } from '../support/mls/proposals.js'
import {
  appDataDictionary,
  judgeCommit,
  judgeExternal,
  judgeProposal,
  requiredCapabilities,
  waiting,
  withAppData,
} from './negative/forged-group-fixture.js'

const GREASE = [0x0a0a, 0x5a5a, 0xeaea]
const greased = GREASE.map((type) => ({ type, data: Buffer.from('anything') }))

function nextOf(verdict: unknown): ValidCommit['next'] {
  expect(verdict).toMatchObject({ kind: 'valid' })
  return (verdict as ValidCommit).next
}

describe.each([1, 2, 3, 4, 5, 6, 7])('a group of suite %i', (suite) => {
  it('is followed with its Welcome and GroupInfo, and shown to joiners', async () => {
    const forge = await Forge.group(3, [], { suite })
    const keyPackage = await forgeKeyPackage(newKey(suite), 'new', suite)
    const items = [byValue(proposals.add(keyPackage)), byValue(proposals.remove(1))]
    const tag = new Uint8Array({ 1: 32, 2: 32, 3: 32, 7: 48 }[suite] ?? 64)
    const message = publicMessage(await forge.commit(items, await forge.path(items, 0), 0, { confirmationTag: tag }))
    const next = nextOf(await validateCommit(forge.state, message))
    const extensions = [{ type: 4, data: new TlsWriter().opaque(newHpkeKey(suite)).written() }]
    const groupInfo = groupInfoMessage(await forgeGroupInfo(next.groupContext, forge.key(0), { confirmationTag: tag, extensions }))
    const welcomes = [welcomeMessage(forgeWelcome([keyPackageRef(suite, keyPackage)!], suite))]
    expect(outcome(await validateCommit(forge.state, message, { groupInfo, welcomes }))).toBe('valid')
    expect(await seed({ groupInfo, ratchetTree: ratchetTree(treeBytes(next)) })).toMatchObject({ kind: 'seeded' })
  })
})

describe('GREASE (RFC 9420 §13.5)', () => {
  const listing = {
    capabilities: {
      cipherSuites: [1, ...GREASE],
      extensions: [0xf000, ...GREASE],
      proposals: [0x000a, ...GREASE],
      credentials: [1, ...GREASE],
    },
    extensions: greased,
  }
  const group = () => Forge.group(3, [], { leaf: () => listing })

  it('is ignored in capabilities, in the extensions of leaves and KeyPackages, and in those of a GroupInfo', async () => {
    const forge = await group()
    const keyPackage = await forgeKeyPackage(newKey(), 'new', 1, { leaf: listing, extensions: greased })
    const items = [byValue(proposals.add(keyPackage))]
    const tag = new Uint8Array(32)
    const message = publicMessage(await forge.commit(items, await forge.path(items, 0, { leaf: listing }), 0, { confirmationTag: tag }))
    const next = nextOf(await validateCommit(forge.state, message))
    const groupInfo = await forgeGroupInfo(next.groupContext, forge.key(0), { confirmationTag: tag, extensions: greased })
    expect(outcome(await validateCommit(forge.state, message, { groupInfo: groupInfoMessage(groupInfo) }))).toBe('valid')
  })

  it.each([
    ['as an extension of the group', greased.slice(0, 1), 'leaf-node-group-extensions'],
    ['as a required extension', [requiredCapabilities({ extensions: [0x0a0a] })], 'leaf-node-required-capabilities'],
    ['as a required proposal type', [requiredCapabilities({ proposals: [0x5a5a] })], 'leaf-node-required-capabilities'],
    ['as a required credential type', [requiredCapabilities({ credentials: [0xeaea] })], 'leaf-node-required-capabilities'],
  ])('is not taken %s, though all members list it', async (_case, extensions, rule) => {
    const items = [byValue(proposals.groupContextExtensions(extensions))]
    expect(await judgeCommit(await group(), items, { path: { leaf: listing } })).toMatchObject({ kind: 'refused', rule })
  })

  it('is not taken as a credential type', async () => {
    const leaf = { ...listing, credential: { kind: 'other', type: 0x0a0a, data: new Uint8Array() } } as const
    const items = [byValue(proposals.add(await forgeKeyPackage(newKey(), 'new', 1, { leaf })))]
    expect(await judgeCommit(await group(), items, { path: null })).toMatchObject({ kind: 'refused', rule: 'leaf-node-capabilities' })
  })
})

describe('what members have agreed on', () => {
  it('may be any credential type that all of them list', async () => {
    const credential = { kind: 'other', type: 3, data: Buffer.from('multi') } as const
    const certificate = { kind: 'x509', certificates: [Buffer.of(1)] } as const
    const leaf = (at: number) => ({ capabilities: { credentials: [1, 2, 3] }, ...(at === 1 ? { credential } : {}) })
    const forge = await Forge.group(3, [], { leaf })
    const keyPackage = await forgeKeyPackage(newKey(), 'new', 1, { leaf: { ...leaf(0), credential: certificate } })
    const items = [byValue(proposals.add(keyPackage))]
    nextOf(await judgeCommit(forge, items, { path: { leaf: leaf(0) } }))
  })

  it('may be extensions, required capabilities and another list of external senders', async () => {
    const forge = await Forge.group(3)
    const required = requiredCapabilities({ extensions: [1, 0xf000], proposals: [3, 0x000a], credentials: [1] })
    const [senders] = forge.state.groupContext.extensions
    const extensions = [required, senders!, { type: 0xf000, data: Buffer.from('x') }]
    const next = nextOf(await judgeCommit(forge, [byValue(proposals.groupContextExtensions(extensions))]))
    expect(next.groupContext.extensions.map(({ type }) => type)).toEqual([3, 5, 0xf000])
  })

  it('counts as it is after the Commit: who lacks something may be removed, or be replaced, by it', async () => {
    const forge = await Forge.group(3, [], { leaf: (at) => (at === 2 ? { capabilities: { extensions: [], proposals: [] } } : {}) })
    const required = proposals.groupContextExtensions([requiredCapabilities({ extensions: [0xf000] })])
    expect(await judgeCommit(forge, [byValue(required)])).toMatchObject({ rule: 'required-capabilities-members' })
    nextOf(await judgeCommit(forge, [byValue(required), byValue(proposals.remove(2))]))

    const { forge: later, ref } = await waiting(forge, proposals.selfRemove(), 1)
    expect(await judgeCommit(later, [byReference(ref)])).toMatchObject({ rule: 'proposal-type-supported' })
    nextOf(await judgeCommit(later, [byReference(ref), byValue(proposals.remove(2))]))
  })

  it('lets a client come back with its signature key in the Commit that removes its old leaf', async () => {
    const forge = await Forge.group(3)
    const back = byValue(proposals.add(await forgeKeyPackage(forge.key(2), 'm2')))
    expect(await judgeCommit(forge, [back])).toMatchObject({ rule: 'leaf-node-signature-key' })
    nextOf(await judgeCommit(forge, [back, byValue(proposals.remove(2))]))
    nextOf(await judgeExternal(forge, [byValue(proposals.externalInit()), byValue(proposals.remove(2))], {}, forge.key(2)))
  })

  it('lets a committer change its signature key', async () => {
    const key = newKey()
    const verdict = await judgeCommit(await Forge.group(3), [], { path: { leaf: { signatureKey: key.publicKey, signedBy: key } } })
    expect(nextOf(verdict).tree.leaf(0)?.signatureKey).toEqual(new Uint8Array(key.publicKey))
  })
})

describe('the server’s own limits', () => {
  it('let the largest KeyPackage through that could be published', async () => {
    const of = async (length: number) =>
      forgeKeyPackage(newKey(), 'new', 1, { extensions: [{ type: 0x0a0a, data: new Uint8Array(length) }] })
    const around = (await of(16_000)).length
    const keyPackage = await of(16_000 + MAX_KEY_PACKAGE_BYTES - around)
    expect(keyPackage).toHaveLength(MAX_KEY_PACKAGE_BYTES)
    nextOf(await judgeCommit(await Forge.group(2), [byValue(proposals.add(keyPackage))]))
  })

  it(`let ${MAX_ADDS} Adds through at once`, async () => {
    const keyPackages = await Promise.all(Array.from({ length: MAX_ADDS }, (_, at) => forgeKeyPackage(newKey(), `n${at}`)))
    const items = keyPackages.map((bytes) => byValue(proposals.add(bytes)))
    expect(nextOf(await judgeCommit(await Forge.group(2), items, { path: null })).tree.leafCount).toBe(4096)
  })
})

describe('application data (draft-ietf-mls-extensions)', () => {
  const group = () => Forge.group(3, [appDataDictionary(7, 9), { type: 0xf000, data: new Uint8Array() }], withAppData)

  it('is removed by AppDataUpdate without a path, and the other extensions stay as they were', async () => {
    const forge = await group()
    const { forge: later, ref } = await waiting(forge, proposals.appDataRemoval(7), 1)
    const next = nextOf(await judgeCommit(later, [byReference(ref), byValue(proposals.appEphemeral(1))], { path: null }))
    const [senders, , other] = forge.state.groupContext.extensions
    const dictionary = { type: 6, data: new Uint8Array(appDataDictionary(9).data) }
    expect(next.groupContext.extensions).toEqual([senders, dictionary, other])
  })

  it('stays as it is when other extensions are replaced, where only AppDataUpdate may change it', async () => {
    const required = requiredCapabilities({ proposals: [8] })
    const forge = await Forge.group(3, [required, appDataDictionary(7)], withAppData)
    const items = [byValue(proposals.groupContextExtensions([required, appDataDictionary(7), { type: 0xf000, data: new Uint8Array() }]))]
    nextOf(await judgeCommit(forge, items, { path: { leaf: withAppData.leaf() } }))
    const without = await Forge.group(3, [required], withAppData)
    nextOf(await judgeCommit(without, [byValue(proposals.groupContextExtensions([required]))], { path: { leaf: withAppData.leaf() } }))
  })

  it('may be replaced with the extensions, where AppDataUpdate is not required', async () => {
    const items = [byValue(proposals.groupContextExtensions([appDataDictionary(7), { type: 0xf000, data: new Uint8Array() }]))]
    nextOf(await judgeCommit(await group(), items, { path: { leaf: withAppData.leaf() } }))
  })

  it('is removed from the extensions that replace the old ones in the same Commit', async () => {
    const items = [proposals.groupContextExtensions([appDataDictionary(7, 8)]), proposals.appDataRemoval(8)].map(byValue)
    const next = nextOf(await judgeCommit(await group(), items, { path: { leaf: withAppData.leaf() } }))
    expect(next.groupContext.extensions).toEqual([{ type: 6, data: new Uint8Array(appDataDictionary(7).data) }])
  })

  it('is removed also where only AppDataUpdate may change it', async () => {
    const forge = await Forge.group(3, [requiredCapabilities({ proposals: [8] }), appDataDictionary(7)], withAppData)
    nextOf(await judgeCommit(forge, [byValue(proposals.appDataRemoval(7))], { path: null }))
  })

  it('comes from outside too, but not where a member does not know it', async () => {
    const forge = await group()
    const external = { sender: { kind: 'external', senderIndex: 0 }, key: forge.externalKey } as const
    expect(await judgeProposal(forge, proposals.appDataRemoval(9), 0, external)).toMatchObject({ kind: 'valid' })
    expect(await judgeProposal(await Forge.group(3), proposals.appEphemeral(1))).toMatchObject({ rule: 'proposal-type-supported' })
    const items = [proposals.externalInit(), proposals.appEphemeral(1), proposals.appDataRemoval(9)].map(byValue)
    nextOf(await judgeExternal(forge, items, { leaf: withAppData.leaf() }))
  })
})

describe('a Proposal', () => {
  it('may be any that the RFC has, and waits', async () => {
    const forge = await Forge.group(4)
    const place = { groupId: forge.state.groupContext.groupId, leafIndex: 1 }
    const update = proposals.update(await forgeLeaf(forge.key(1), 'm1', { kind: 'update' }, place))
    const add = proposals.add(await forgeKeyPackage(newKey(), 'new'))
    const others = [proposals.remove(2), proposals.externalPsk('a'), proposals.resumptionPsk(1, 'forged'), proposals.reInit('next', 2)]
    for (const proposal of [update, add, ...others, proposals.groupContextExtensions([]), proposals.selfRemove()]) {
      expect(await judgeProposal(forge, proposal, 1)).toMatchObject({ kind: 'valid' })
    }
  })

  it('may come from an external sender if it is one of those that RFC 9420 §12.1.8 lists', async () => {
    const forge = await Forge.group(4, [], withAppData)
    const external = { sender: { kind: 'external', senderIndex: 0 }, key: forge.externalKey } as const
    const add = proposals.add(await forgeKeyPackage(newKey(), 'new', 1, { leaf: withAppData.leaf() }))
    const others = [proposals.remove(2), proposals.externalPsk('a'), proposals.reInit('next', 2), proposals.groupContextExtensions([])]
    for (const proposal of [add, ...others, proposals.appEphemeral(1)])
      expect(await judgeProposal(forge, proposal, 0, external)).toMatchObject({ kind: 'valid' })
  })

  it('adds on the first and on the last second of a lifetime', async () => {
    const keyPackage = await forgeKeyPackage(newKey(), 'new', 1, { leaf: { lifetime: [1_000n, 1_000n] } })
    const at = (ms: number) => ({ path: null, bundle: { lifetimes: { now: new Date(ms), maxLifetime: 1 } } })
    const forge = await Forge.group(2)
    for (const ms of [1_000_000, 1_000_999]) nextOf(await judgeCommit(forge, [byValue(proposals.add(keyPackage))], at(ms)))
    expect(await judgeCommit(forge, [byValue(proposals.add(keyPackage))], at(1_001_000))).toMatchObject({ rule: 'leaf-node-lifetime' })
  })

  it('of a branch or a reinitialization is for the first Commit of a group, once', async () => {
    const first = await Forge.group(2, [], { epoch: 0n })
    nextOf(await judgeCommit(first, [byValue(proposals.resumptionPsk(3, 'old')), byValue(proposals.externalPsk('a'))], { path: null }))
  })
})
