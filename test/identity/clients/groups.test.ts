import { describe, expect, it } from '@jest/globals'
import { createProposal, encodeMlsMessage } from 'ts-mls'
import { buildCommit } from '../../../examples/client/commits.js'
import { LEAF_CERTIFICATE } from '../../../examples/client/identity/leaf.js'
import { encodeTree } from '../../../examples/client/mls/tree.js'
import { suite } from '../../../examples/client/mls/suites.js'
import { utf8 } from '../../../examples/client/wire.js'
import { at } from '../../support/world.js'
import { useMaliciousServer } from './malicious-server.js'

// In a private group the server sees no leaves at all: members alone look at them.

const evil = useMaliciousServer()

describe('a member of a private group', () => {
  it('who shows the certificate of another device in its leaf is put out by the others', async () => {
    const [bob, mallory, alice] = await evil.cast(['bob', 'mallory', 'alice'])
    const group = await evil.group(bob, [mallory, alice], { mode: 'private' })
    const theirs = at(mallory, group)
    const stolen = [{ extensionType: LEAF_CERTIFICATE, extensionData: alice.device.own.leafCertificate()! }]
    const { bundle } = await buildCommit(theirs.record, [], (await suite(1)).impl, [], { extensions: stolen })
    await mallory.device.http.post(`${theirs.path}/commits`, bundle)
    await group.catchUp()
    expect(group.record.quarantine).toMatchObject([{ client: mallory.uri, reason: 'invalid', rule: 'device-certificate' }])
    await group.send('without mallory')
    expect(group.members).toEqual([bob.uri, alice.uri])
  })

  it('who proposes to add a device without a certificate is not followed', async () => {
    const [bob, mallory, alice] = await evil.cast(['bob', 'mallory', 'alice'])
    const group = await evil.group(bob, [mallory], { mode: 'private' })
    const ghost = await evil.ghostOf(alice)
    ghost.device.record.certified = true
    ghost.device.leafExtensions = () => []
    const { public: keyPackage } = await ghost.device.newKeyPackage(1)
    const theirs = at(mallory, group)
    const made = await createProposal(theirs.record.state, false, { proposalType: 'add', add: { keyPackage } }, (await suite(1)).impl)
    await mallory.device.http.post(`${theirs.path}/proposals`, { proposal: encodeMlsMessage(made.message) })
    await group.catchUp()
    expect(Object.keys(group.record.state.unappliedProposals)).toHaveLength(1)
    await group.send('the proposal is left out')
    expect(group.members).toEqual([bob.uri, mallory.uri])
  })

  it('stays in a certified one through a branch and a ReInit, whatever the server says', async () => {
    const [bob, alice] = await evil.cast(['bob', 'alice'])
    const group = await evil.group(bob, [alice])
    evil.lie(/\/policy$/u, (answer) => ({ ...(answer as object), identities: 'any' }))
    const branch = await bob.beginAfter({
      before: group.record,
      origin: 'branch',
      groupId: utf8(`branch-${bob.user}`),
      users: [alice.user],
    })
    expect(branch.record.certified).toBe(true)
    await evil.sync(alice)
    expect(alice.group(branch.record.groupId).record.certified).toBe(true)
  })
})

describe('a tree that the server changes', () => {
  it('is no tree that a member joins by', async () => {
    const [bob, alice, mallory] = await evil.cast(['bob', 'alice', 'mallory'])
    const group = await evil.group(bob, [])
    await group.add(alice.user)
    const own = (await mallory.device.newKeyPackage(1)).public.leafNode
    evil.lie(/\/tree\?/u, () => ({
      ratchet_tree: encodeTree([{ nodeType: 'leaf', leaf: own }, ...group.record.state.ratchetTree.slice(1)]),
    }))
    await evil.sync(alice)
    expect(alice.groups.size).toBe(0)
    expect(alice.lostWelcomes).toHaveLength(1)
  })
})
