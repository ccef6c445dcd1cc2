import { randomBytes } from 'node:crypto'
import { beforeAll, describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { decodeMessage } from '../../src/protocol/mls/message.js'
import { makeGroupContext } from '../../src/protocol/mls/structures/group-info.js'
import { decodeRatchetTree } from '../../src/protocol/mls/structures/ratchet-tree.js'
import { validateCommit, type CommitBundle, type ValidCommit } from '../../src/protocol/public-group/commit.js'
import { validateProposal } from '../../src/protocol/public-group/proposals/proposal.js'
import { seed } from '../../src/protocol/public-group/seed.js'
import { deserialize, serialize } from '../../src/protocol/public-group/snapshot.js'
import { addProposal, treeBytes, type PublicGroupState } from '../../src/protocol/public-group/state.js'
import { TlsWriter } from '../../src/protocol/tls/writer.js'
import { groupInfoMessage, outcome, publicMessage, ratchetTree } from '../support/mls/follower.js'
import { Forge, forgeGroupInfo, forgeKeyPackage, forgeWelcome, newKey } from '../support/mls/forge.js'
import { byReference, byValue, proposals } from '../support/mls/proposals.js'

let forge: Forge
let proposal: Uint8Array
let commit: Uint8Array
let bundle: CommitBundle
let messages: Record<string, Uint8Array>

/** A Commit with a path, an Add, a Remove by reference and new extensions, and the GroupInfo of its epoch. */
beforeAll(async () => {
  const before = await Forge.group(5)
  proposal = await before.proposal(proposals.remove(2), 1)
  forge = before.at(addProposal(before.state, publicMessage(proposal)))
  const [ref] = forge.state.pending.keys()
  const items = [
    byReference(Buffer.from(ref ?? '', 'hex')),
    byValue(proposals.add(await forgeKeyPackage(newKey(), 'new'))),
    byValue(proposals.groupContextExtensions([...forge.state.groupContext.extensions])),
  ]
  const confirmationTag = randomBytes(32)
  commit = await forge.commit(items, await forge.path(items, 0), 0, { confirmationTag })
  const { next } = (await validateCommit(forge.state, publicMessage(commit))) as ValidCommit
  const groupInfo = await forgeGroupInfo(next.groupContext, forge.key(0), { confirmationTag })
  bundle = { groupInfo: groupInfoMessage(groupInfo) }
  const keyPackage = new TlsWriter()
    .uint32(0x0001_0005)
    .raw(await forgeKeyPackage(newKey(), 'x'))
    .written()
  const privateMessage = new TlsWriter().uint32(0x0001_0002).opaque(randomBytes(8)).uint64(1n).uint8(1)
  privateMessage.opaque(randomBytes(2)).opaque(randomBytes(30)).opaque(randomBytes(90))
  const welcome = forgeWelcome([randomBytes(32)])
  messages = { commit, proposal, groupInfo, keyPackage, welcome, privateMessage: privateMessage.written() }
})

function flipped(bytes: Uint8Array, at: number, mask: number): Uint8Array {
  const changed = bytes.slice()
  changed[at] = (changed[at] ?? 0) ^ mask
  return changed
}

async function accepted(bytes: Uint8Array): Promise<boolean> {
  const message = decodeMessage(bytes)
  if (message.kind === 'malformed' || message.value.wireFormat !== 'public-message') return false
  const { body } = message.value
  const verdict =
    body.content.kind === 'commit' ? await validateCommit(forge.state, body, bundle) : await validateProposal(forge.state, body)
  return verdict.kind === 'valid'
}

describe('any changed byte of an accepted handshake', () => {
  it.each(['commit', 'proposal'])('is noticed in a %s, but for the membership tag, which only members can check', async (name) => {
    const bytes = name === 'commit' ? commit : proposal
    expect(await accepted(bytes)).toBe(true)
    const tagBytes = publicMessage(bytes).membershipTag?.length ?? 0
    for (const mask of [0x01, 0x80]) {
      const survivors: number[] = []
      for (let at = 0; at < bytes.length; at++) if (await accepted(flipped(bytes, at, mask))) survivors.push(at - bytes.length)
      expect(survivors).toEqual(Array.from({ length: tagBytes }, (_, index) => index - tagBytes))
    }
  })
})

describe('any cut or padded message', () => {
  it('is a value that says so, at every length', () => {
    for (const bytes of Object.values(messages)) {
      for (let length = 0; length < bytes.length; length++) {
        expect(decodeMessage(bytes.subarray(0, length)).kind).toBe('malformed')
      }
      expect(decodeMessage(bytes).kind).toBe('decoded')
      expect(decodeMessage(Buffer.concat([bytes, Buffer.of(0)])).kind).toBe('malformed')
    }
  })

  it('is refused as a tree or a snapshot too', () => {
    const [tree, snapshot] = [treeBytes(forge.state), serialize(forge.state)]
    for (let length = 0; length < snapshot.length; length++) {
      expect(deserialize(snapshot.subarray(0, length)).kind).toBe('malformed')
      expect(decodeRatchetTree(tree.subarray(0, Math.min(length, tree.length - 1))).kind).toBe('malformed')
    }
    expect([decodeRatchetTree(tree).kind, deserialize(snapshot).kind]).toEqual(['decoded', 'decoded'])
  })

  it('never makes a decoder throw, whatever changes', () => {
    const change = fc.record({ at: fc.nat(), byte: fc.nat(255), cut: fc.nat(), splice: fc.uint8Array({ maxLength: 8 }) })
    const message = fc.nat(5)
    fc.assert(
      fc.property(message, fc.array(change, { minLength: 1, maxLength: 4 }), (which, changes) => {
        let bytes = Object.values(messages)[which] as Uint8Array
        for (const { at, byte, cut, splice } of changes) {
          bytes = flipped(bytes, at % bytes.length, byte)
          const where = cut % bytes.length
          bytes = new Uint8Array(Buffer.concat([bytes.subarray(0, where), splice, bytes.subarray(where + (byte % 3))]))
          if (bytes.length === 0) return
        }
        const decoded = decodeMessage(bytes)
        if (decoded.kind === 'decoded') expect(Buffer.from(decoded.value.bytes)).toEqual(Buffer.from(bytes))
      }),
      { numRuns: 3000 },
    )
  })
})

describe('what would cost much', () => {
  it('is refused for its number of items before it takes memory: capabilities, tree nodes', () => {
    const leaf = new TlsWriter().opaque(randomBytes(32)).opaque(randomBytes(32)).uint16(1).opaque(randomBytes(4))
    leaf.opaque(new Uint8Array([0, 1])).opaque(new Uint8Array(1_000_000))
    const keyPackage = new TlsWriter().uint32(0x0001_0005).uint16(1).uint16(1).opaque(randomBytes(32)).raw(leaf.written()).written()
    expect(decodeMessage(keyPackage)).toEqual({ kind: 'malformed', reason: 'a vector has more than 1024 items' })

    const blanks = new TlsWriter().opaque(new Uint8Array(2 ** 21)).written()
    expect(decodeRatchetTree(blanks)).toEqual({ kind: 'malformed', reason: 'a vector has more than 131071 items' })
  })
})

describe('seeding', () => {
  const seedWith = async (state: PublicGroupState, signer = 0, key = forge.key(0)): Promise<string> => {
    const groupInfo = groupInfoMessage(await forgeGroupInfo(state.groupContext, key, { signer }))
    const result = await seed({ groupInfo, ratchetTree: ratchetTree(treeBytes(forge.state)) })
    return result.kind === 'seeded' ? outcome({ kind: 'valid' }) : result.rule
  }

  it('takes the tree that the GroupInfo’s signer vouches for', async () => {
    expect(await seedWith(forge.state)).toBe('valid')
  })

  it('refuses another tree, another signer, and a suite it does not know', async () => {
    const changed = (fields: object) => ({ ...forge.state, groupContext: makeGroupContext({ ...forge.state.groupContext, ...fields }) })
    expect(await seedWith(changed({ treeHash: randomBytes(32) }))).toBe('tree-hash')
    expect(await seedWith(changed({ cipherSuite: 8 }))).toBe('cipher-suite')
    expect(await seedWith(forge.state, 1)).toBe('group-info-signature')
    expect(await seedWith(forge.state, 6)).toBe('group-info-signature')
    expect(await seedWith(forge.state, 0, newKey())).toBe('group-info-signature')
  })
})
