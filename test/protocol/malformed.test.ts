import { beforeAll, describe, expect, it } from '@jest/globals'
import { decodeMessage } from '../../src/protocol/mls/message.js'
import { deserialize, serialize } from '../../src/protocol/public-group/snapshot.js'
import { applyProposals } from '../../src/protocol/public-group/proposals/apply-proposals.js'
import { makeGroupContext } from '../../src/protocol/mls/structures/group-info.js'
import { readKeyPackage } from '../../src/protocol/mls/structures/key-package.js'
import { encodeRatchetTree, MAX_LEAVES } from '../../src/protocol/mls/structures/ratchet-tree.js'
import { decodeAppDataDictionary } from '../../src/protocol/mls/structures/app-data.js'
import { addProposal } from '../../src/protocol/public-group/state.js'
import { Tree, TreeDraft } from '../../src/protocol/public-group/tree/tree.js'
import { TlsReader } from '../../src/protocol/tls/reader.js'
import { TlsWriter } from '../../src/protocol/tls/writer.js'
import { publicMessage, ratchetTree } from '../support/mls/follower.js'
import { Forge, forgeKeyPackage, forgeLeaf, newKey } from '../support/mls/forge.js'
import { proposals } from '../support/mls/proposals.js'
import { appDataDictionary } from './negative/forged-group-fixture.js'

const MEMBER = '0100000000'
const PROPOSAL = '02'
const COMMIT = '03'

/** A PublicMessage of an empty group id and epoch 0, with one-byte signature and tags. */
function handshake(sender: string, content: string): Uint8Array {
  const tags = content.startsWith(COMMIT) ? '01aa01bb01cc' : '01aa01cc'
  return Buffer.from(`0001000100${'00'.repeat(8)}${sender}00${content}${tags}`, 'hex')
}

function reasonFor(bytes: Uint8Array): string | undefined {
  const result = decodeMessage(bytes)
  return result.kind === 'malformed' ? result.reason : undefined
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

describe('an MLSMessage', () => {
  it.each([
    ['of version 2', '00020001', 'protocol version 2 is unknown'],
    ['of wire format 6', '00010006', 'wire format 6 is unknown'],
    ['with a GroupInfo of version 2', '000100040002000100000000000000000000000000000001aa00000000', 'protocol version 2 is unknown'],
    ['with a PrivateMessage of content type 4', '0001000200000000000000000004000000', 'content type 4 is unknown'],
    ['with nothing in it', '', 'the bytes end too early'],
  ])('%s is malformed', (_case, bytes, reason) => {
    expect(reasonFor(Buffer.from(bytes, 'hex'))).toBe(reason)
  })

  it('has a KeyPackage of its own version', async () => {
    const keyPackage = await forgeKeyPackage(newKey(), 'x')
    const framed = (bytes: Uint8Array) => new TlsWriter().uint32(0x0001_0005).raw(bytes).written()
    expect(reasonFor(framed(keyPackage))).toBeUndefined()
    keyPackage[1] = 2
    expect(reasonFor(framed(keyPackage))).toBe('the KeyPackage has another version than its MLSMessage')
  })
})

describe('a handshake', () => {
  it.each([
    ['a Remove', MEMBER, `${PROPOSAL}000300000000`],
    ['SelfRemove, which has no fields', MEMBER, `${PROPOSAL}000a`],
    ['an AppDataUpdate that updates', MEMBER, `${PROPOSAL}000800070101ff`],
    ['an AppDataUpdate that removes', MEMBER, `${PROPOSAL}0008000702`],
    ['an AppEphemeral', MEMBER, `${PROPOSAL}0009000701ff`],
    ['a Commit of two', MEMBER, `${COMMIT}0c01000300000000020301020300`],
    ['a resumption PSK', MEMBER, `${PROPOSAL}00040203${'00'.repeat(10)}`],
  ])('may be %s', (_case, sender, content) => {
    expect(reasonFor(handshake(sender, content))).toBeUndefined()
  })

  it.each([
    ['sender type 0', '00', `${PROPOSAL}000300000000`, 'sender type 0 is unknown'],
    ['sender type 5', '05', `${PROPOSAL}000300000000`, 'sender type 5 is unknown'],
    ['content type 0', MEMBER, '00', 'content type 0 is unknown'],
    ['content type 4', MEMBER, '04', 'content type 4 is unknown'],
    ['application data', MEMBER, '0100', 'application data must not be sent as a PublicMessage'],
    ['an unknown proposal type, which has no length', MEMBER, `${PROPOSAL}0a0a00`, 'proposal type 2570 is not supported'],
    ['AppDataUpdate operation 3', MEMBER, `${PROPOSAL}0008000703`, 'AppDataUpdate operation 3 is unknown'],
    ['ProposalOrRef type 3', MEMBER, `${COMMIT}010300`, 'ProposalOrRef type 3 is unknown'],
    ['PSK type 3', MEMBER, `${PROPOSAL}0004030000`, 'PSK type 3 is unknown'],
    ['PSK usage 0', MEMBER, `${PROPOSAL}00040200`, 'resumption PSK usage 0 is unknown'],
    ['PSK usage 4', MEMBER, `${PROPOSAL}00040204`, 'resumption PSK usage 4 is unknown'],
    ['one extension type twice', MEMBER, `${PROPOSAL}000706${'f00000'.repeat(2)}`, 'an extension type appears twice in one list'],
  ])('may not have %s', (_case, sender, content, reason) => {
    expect(reasonFor(handshake(sender, content))).toBe(reason)
  })

  it('may not have a leaf of an unknown source', async () => {
    const leaf = hex((await forgeLeaf(newKey(), 'x', { kind: 'update' })).bytes)
    // The source stands between the capabilities, which end in proposal type 10 and credential type 1, and the empty extensions.
    const strange = leaf.replace('02000a0200010200', '02000a0200010400')
    expect(strange).not.toBe(leaf)
    expect(reasonFor(handshake(MEMBER, `${PROPOSAL}0002${leaf}`))).toBeUndefined()
    expect(reasonFor(handshake(MEMBER, `${PROPOSAL}0002${strange}`))).toBe('leaf node source 4 is unknown')
  })
})

describe('a snapshot', () => {
  let forge: Forge

  beforeAll(async () => {
    forge = await Forge.group(3)
  })

  it('keeps the pending proposals', async () => {
    const { state } = forge
    const pending = addProposal(state, publicMessage(await forge.proposal(proposals.remove(1))))
    const restored = deserialize(serialize(pending))
    expect(restored).toMatchObject({ kind: 'decoded', value: { groupContext: { epoch: 3n } } })
    expect(restored.kind === 'decoded' && [...restored.value.pending.keys()]).toEqual([...pending.pending.keys()])
  })

  it('is refused in a format of another release', () => {
    const bytes = serialize(forge.state)
    bytes[1] = 2
    expect(deserialize(bytes)).toEqual({ kind: 'malformed', reason: 'snapshot format 2 is unknown' })
  })

  it('is refused with a tree of another group', () => {
    const groupContext = makeGroupContext({ ...forge.state.groupContext, treeHash: new Uint8Array(32) })
    const bytes = serialize({ ...forge.state, groupContext })
    expect(deserialize(bytes)).toEqual({ kind: 'malformed', reason: 'the tree is not that of the GroupContext' })
  })
})

describe('application data', () => {
  it('is sorted by component, of which each is there once', () => {
    const decode = (...components: number[]) => decodeAppDataDictionary(appDataDictionary(...components).data).kind
    expect(decode(0, 1, 7)).toBe('decoded')
    expect([decode(1, 0), decode(7, 7), decode(0, 0)]).toEqual(['malformed', 'malformed', 'malformed'])
  })
})

describe('a tree', () => {
  it('does not grow past what can be decoded again', async () => {
    const leaf = await forgeLeaf(newKey(), 'x', { kind: 'key-package' })
    const full = {
      leaves: Array.from({ length: MAX_LEAVES }, () => leaf),
      parents: Array.from({ length: MAX_LEAVES - 1 }, () => undefined),
    }
    const keyPackage = readKeyPackage(new TlsReader(await forgeKeyPackage(newKey(), 'new')))
    const add = { proposal: { kind: 'add', keyPackage }, sender: { kind: 'member', leafIndex: 0 }, byReference: false } as const
    expect(applyProposals(new TreeDraft(Tree.of('sha256', full)), [add])).toMatchObject({ kind: 'broken', rule: 'tree-size' })
  })

  it.each([
    ['out of order', [2, 1]],
    ['twice', [1, 1]],
  ])('has no leaf unmerged %s', async (_case, unmergedLeaves) => {
    const leaf = await forgeLeaf(newKey(), 'x', { kind: 'key-package' })
    const nodes = new TlsWriter().uint8(1).uint8(1).raw(leaf.bytes).uint8(1).uint8(2).opaque(new Uint8Array(32)).opaque(new Uint8Array())
    nodes.vector(unmergedLeaves, (item, leafIndex) => item.uint32(leafIndex))
    const encoded = new TlsWriter().opaque(nodes.uint8(1).uint8(1).raw(leaf.bytes).written()).written()
    expect(() => ratchetTree(encoded)).toThrow('unmerged leaves are not in increasing order')
  })

  it('ends in a leaf', async () => {
    const leaf = await forgeLeaf(newKey(), 'x', { kind: 'key-package' })
    const one = encodeRatchetTree({ leaves: [leaf], parents: [] })
    expect(ratchetTree(one).leaves).toHaveLength(1)
    for (const end of ['00', '0000']) {
      const nodes = Buffer.concat([one.subarray(2), Buffer.from(end, 'hex')])
      expect(() => ratchetTree(new TlsWriter().opaque(nodes).written())).toThrow('the last node of the tree is no leaf')
    }
  })
})
