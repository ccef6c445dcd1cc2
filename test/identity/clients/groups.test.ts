import { describe, expect, it } from '@jest/globals'
import { createProposal, encodeMlsMessage } from 'ts-mls'
import { Client } from '../../../examples/client/client.js'
import { buildCommit } from '../../../examples/client/commits.js'
import { LEAF_CERTIFICATE } from '../../../examples/client/identity/leaf.js'
import { encodeTree } from '../../../examples/client/mls/tree.js'
import { suite } from '../../../examples/client/mls/suites.js'
import { changePolicy } from '../../../examples/client/policy.js'
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

  it('who adds a leaf in the name of another, and tells the server of nobody, does not keep the others from going on', async () => {
    const [bob, mallory, alice] = await evil.cast(['bob', 'mallory', 'alice'])
    const group = await evil.group(bob, [mallory, alice], { mode: 'private' })
    const [, , , , user = ''] = alice.uri.split('/')
    const ghost = await Client.create({ baseUrl: evil.url, domain: 'localhost', user, device: 'ghost' })
    ghost.device.leafExtensions = () => [{ extensionType: LEAF_CERTIFICATE, extensionData: alice.device.own.leafCertificate()! }]
    const { public: keyPackage } = await ghost.device.newKeyPackage(1)
    const theirs = at(mallory, group)
    const { bundle } = await buildCommit(theirs.record, [{ proposalType: 'add', add: { keyPackage } }], (await suite(1)).impl)
    delete bundle.welcomes
    await mallory.device.http.post(`${theirs.path}/commits`, bundle)
    await group.catchUp()
    expect(group.record.quarantine).toMatchObject([{ client: ghost.uri, reason: 'invalid', rule: 'device-certificate-leaf' }])
    await group.send('for members')
    expect(group.members).toEqual([bob.uri, mallory.uri, alice.uri])
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

describe.each(['public', 'private'] as const)('a certified %s group of which only policies say so', (mode) => {
  it('stays certified for its members through a branch, a resync and a new invitation, whatever the server says then', async () => {
    const [bob, alice] = await evil.cast(['bob', 'alice'])
    const group = await evil.group(bob, [], { mode, identities: 'any' })
    // Without required_capabilities members have nothing but the policy, once.
    await changePolicy(group, { identities: 'certified' })
    await group.add(alice.user)
    await evil.sync(alice)
    const { groupId, suite: id } = group.record
    expect(alice.group(groupId).record.certified).toBe(true)
    evil.lie(/\/policy$/u, (answer) => ({ ...(answer as object), identities: 'any' }))
    const branch = utf8(`branch-${mode}-${bob.user}`)
    await bob.beginAfter({ before: group.record, origin: 'branch', groupId: branch, users: [alice.user] })
    await evil.sync(alice)
    expect(alice.group(branch).record.certified).toBe(true)
    await alice.joinExternally({ groupId, mode, suite: id, resync: true })
    expect(alice.group(groupId).record).toMatchObject({ certified: true, joiners: 'same-user' })
    await group.catchUp()
    await group.remove(alice.uri)
    await evil.sync(alice)
    await group.add(alice.user)
    await evil.sync(alice)
    expect(alice.group(groupId).record).toMatchObject({ standing: 'member', certified: true })
    expect(group.record.quarantine).toEqual([])
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
