import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { createProposal, encodeMlsMessage, proposeAddExternal, type Proposal } from 'ts-mls'
import type { Client } from '../../examples/client/client.js'
import { decodeKeyPackageMessage } from '../../examples/client/joining.js'
import { proposalRef } from '../../src/protocol/mls/references.js'
import { encodeExternalRemoveProposal } from '../../src/protocol/mls/external-proposal.js'
import { decodeMessage } from '../../src/protocol/mls/message.js'
import { findGroupByGid } from '../../src/groups/repository/groups.repository.js'
import { storedEpoch } from '../../src/groups/state/stored-epoch.js'
import type { Accepted, Group } from '../../examples/client/group.js'
import { suite } from '../../examples/client/mls/suites.js'
import { groupInfoOf, selfRemove } from './hostile.js'
import { at, draft, refusal, submit, useStage } from './groups-kit.js'

const stage = useStage()

const propose = (client: Client, group: Group, proposal: Uint8Array) =>
  client.device.http.post<Accepted>(`${group.path}/proposals`, { proposal })

/** A Remove as a member proposes it, not sent. */
async function removal(group: Group, client: Client, asPublicMessage = group.record.mode === 'public'): Promise<Uint8Array> {
  const { state } = group.record
  const removed = state.ratchetTree.findIndex((node) => node?.nodeType === 'leaf' && isOf(node.leaf.credential, client)) / 2
  const remove: Proposal = { proposalType: 'remove', remove: { removed } }
  return encodeMlsMessage((await createProposal(state, asPublicMessage, remove, (await suite(group.record.suite)).impl)).message)
}
const isOf = (credential: { credentialType: unknown; identity?: unknown }, client: Client) =>
  credential.identity instanceof Uint8Array && Buffer.from(credential.identity).toString() === client.uri

describe.each(['public', 'private'] as const)('a Proposal in a %s group', (mode) => {
  it('of a member waits in the log for a Commit of its epoch, and is answered the same again', async () => {
    const [alice, bob, carol] = await stage.cast('alice', 'bob', 'carol')
    const group = await stage.group(alice, [bob, carol], { mode })
    const bytes = await removal(at(bob, group), carol)
    const first = await propose(bob, group, bytes)
    expect(first).toMatchObject({ seq: 2, epoch: 1 })
    expect(await propose(bob, group, bytes)).toEqual(first)
    await stage.sync(alice)
    await group.settle()
    expect(group.members).toEqual([alice.uri, bob.uri])
    expect(await propose(bob, group, bytes)).toEqual(first)
    expect(await stage.log(group)).toEqual(['c0', 'p1', 'c1'])
  })

  it('of an epoch gone by, of a stranger, or of another group is refused', async () => {
    const [alice, bob, mallory] = await stage.cast('alice', 'bob', 'mallory')
    const group = await stage.group(alice, [bob], { mode })
    const late = await removal(at(bob, group), alice)
    expect(await refusal(propose(mallory, group, late))).toMatchObject({ status: 403, kind: 'not-a-member' })
    expect(await refusal(propose(bob, await stage.group(alice), late))).toMatchObject({ status: 422, kind: 'undecodable' })
    await group.update()
    expect(await refusal(propose(bob, group, late))).toMatchObject({
      status: 409,
      kind: 'stale-epoch',
      document: { entries: [{ seq: 2 }] },
    })
  })

  it('in the wire format of the other mode, or that is none, is refused', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob], { mode })
    const crossed = await removal(at(bob, group), alice, mode === 'private')
    expect(await refusal(propose(bob, group, crossed))).toMatchObject({ status: 422, kind: 'invalid-commit' })
    const { bundle } = await draft(at(bob, group))
    for (const bytes of [bundle.commit, bundle.group_info!, Uint8Array.of(0)]) {
      expect(await refusal(propose(bob, group, bytes))).toMatchObject({ status: 422, kind: 'undecodable' })
    }
  })

  it("to remove oneself is public, and must be signed by one's own leaf", async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob], { mode })
    const own = await selfRemove(at(bob, group))
    expect(await refusal(propose(alice, group, own))).toMatchObject({ status: 403, kind: 'forbidden' })
    const forged = Uint8Array.from(own)
    forged[forged.length - 40]! ^= 1
    expect(await refusal(propose(bob, group, forged))).toMatchObject({ status: 422, document: { rule: 'signature' } })
    expect(await propose(bob, group, own)).toMatchObject({ seq: 2, epoch: 1 })
    if (mode === 'public') return
    // The state by which external Commits are judged knows it.
    const row = (await findGroupByGid(stage.pool, await stage.gid(group)))!
    const message = decodeMessage(own)
    if (message.kind === 'malformed' || message.value.wireFormat !== 'public-message') throw new Error('not ours')
    const ref = proposalRef(1, message.value.body.authenticatedContent)!
    expect([...(await storedEpoch(stage.pool, row)).pending.keys()]).toEqual([Buffer.from(ref).toString('hex')])
  })

  it('to be added comes from whom the policy would let in, with its own KeyPackage', async () => {
    const [alice, laptop, mallory] = await stage.cast('alice', 'alice/laptop', 'mallory')
    const group = await stage.group(alice, [], { mode })
    const { impl } = await suite(1)
    const wish = async (client: Client) => {
      const own = await client.device.newKeyPackage(1)
      return encodeMlsMessage(await proposeAddExternal(await groupInfoOf(group), own.public, own.private, impl))
    }
    expect(await refusal(propose(mallory, group, await wish(mallory)))).toMatchObject({ status: 403, kind: 'policy' })
    expect(await refusal(propose(laptop, group, await wish(mallory)))).toMatchObject({ status: 403, kind: 'forbidden' })
    expect(await propose(laptop, group, await wish(laptop))).toMatchObject({ seq: 1, epoch: 0 })
  })

  it('of an external sender is made by the server, not sent to it', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob], { mode })
    const { privateKey } = generateKeyPairSync('ed25519')
    const remove = { groupId: group.record.groupId, epoch: 1n, senderIndex: 0, removedLeaf: 1 }
    expect(await refusal(propose(alice, group, await encodeExternalRemoveProposal(remove, privateKey)))).toMatchObject({
      status: 403,
      kind: 'forbidden',
    })
  })
})

describe('a public group', () => {
  it('does not let an Add by reference bring in whom it may not', async () => {
    const [alice, bob, carol] = await stage.cast('alice', 'bob', 'carol')
    const group = await stage.group(alice, [bob], { policy: { add_members: 'admins' } })
    const { key_packages: claimed } = await bob.device.claim(carol.user, 1)
    const add: Proposal = { proposalType: 'add', add: { keyPackage: decodeKeyPackageMessage(claimed[0]!.key_package) } }
    const bobs = at(bob, group)
    const { impl } = await suite(1)
    await propose(bob, group, encodeMlsMessage((await createProposal(bobs.record.state, true, add, impl)).message))
    await stage.sync(alice)
    const byBob = await createProposal(bobs.record.state, true, add, impl)
    bobs.record.state = byBob.newState
    const { bundle } = await draft(bobs)
    expect((await refusal(submit(bob, group, bundle))).status).toBeGreaterThanOrEqual(403)
    await group.settle()
    expect(group.members).toContain(carol.uri)
  })
})
