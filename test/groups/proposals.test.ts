import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { createProposal, encodeMlsMessage, proposeAddExternal, type Proposal } from 'ts-mls'
import type { Client } from '../../examples/client/client.js'
import { proposalRef } from '../../src/protocol/mls/hashes.js'
import { encodeExternalRemoveProposal } from '../../src/protocol/mls/external-senders.js'
import { decodeMessage } from '../../src/protocol/mls/message.js'
import { findGroupByGid } from '../../src/groups/repository/groups.repository.js'
import { StateCache } from '../../src/groups/state/state-cache.js'
import { StoredEpochs } from '../../src/groups/state/stored-epochs.js'
import type { Accepted, Group } from '../../examples/client/group.js'
import { suite } from '../../examples/client/mls/suites.js'
import { proposals } from '../support/mls/proposals.js'
import { emptyPrivateMessage, groupInfoOf, largeKeyPackage, selfRemove, signedProposal } from './hostile.js'
import { at, draft, refusal, submit, useStage } from './group-fixture.js'

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
    expect(await refusal(propose(mallory, group, late))).toMatchObject({ status: 404, kind: 'not-found' })
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
    expect([...(await new StoredEpochs(stage.pool, new StateCache(), stage.trees).of(row)).pending.keys()]).toEqual([
      Buffer.from(ref).toString('hex'),
    ])
  })

  it('to be added comes from whom the policy would let in, with its own KeyPackage', async () => {
    const [alice, laptop, mallory] = await stage.cast('alice', 'alice/laptop', 'mallory')
    const group = await stage.group(alice, [], { mode })
    const { impl } = await suite(1)
    const wish = async (client: Client) => {
      const own = await client.device.newKeyPackage(1)
      return encodeMlsMessage(await proposeAddExternal(await groupInfoOf(group), own.public, own.private, impl))
    }
    expect(await refusal(propose(mallory, group, await wish(mallory)))).toMatchObject({ status: 404, kind: 'not-found' })
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
  it('lets proposals of one MiB wait for a Commit, and no KeyPackage that is larger than the directory takes', async () => {
    const [alice] = await stage.cast('alice')
    const group = await stage.group(alice)
    const large = await signedProposal(group, proposals.add(await largeKeyPackage(16 * 1024)))
    expect(await refusal(propose(alice, group, large))).toMatchObject({ status: 413, kind: 'too-large', document: { limit: 16_384 } })
    const padded = (id: string) => signedProposal(group, proposals.externalPsk(id), new Uint8Array(250_000))
    for (const id of ['1', '2', '3', '4']) await propose(alice, group, await padded(id))
    const { status, document } = await refusal(propose(alice, group, await padded('5')))
    expect([status, document['detail']]).toEqual([409, 'The proposals that wait for a Commit are too large together.'])
    // What is small enough still waits, and a Commit makes room.
    await propose(alice, group, await signedProposal(group, proposals.externalPsk('6')))
  })
})

describe('a message of an epoch that SQL has no number for', () => {
  it.each([2n ** 63n, 2n ** 64n - 1n])('is refused before SQL: %d', async (epoch) => {
    const [alice] = await stage.cast('alice')
    const group = await stage.group(alice, [], { mode: 'private' })
    const framed = (type: 1 | 2 | 3) => emptyPrivateMessage(group.record.groupId, epoch, type)
    const refusals = [
      await refusal(alice.device.http.post(`${group.path}/messages`, { message: framed(1) })),
      await refusal(propose(alice, group, framed(2))),
      await refusal(submit(alice, group, { commit: framed(3) })),
    ]
    for (const one of refusals) expect(one).toMatchObject({ status: 422, kind: 'undecodable' })
  })
})
