import { createPrivateKey, createPublicKey } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { createProposal, encodeMlsMessage, proposeAddExternal, type Proposal } from 'ts-mls'
import { decodeProposal } from 'ts-mls/proposal.js'
import type { Client } from '../../examples/client/client.js'
import type { Accepted, Group } from '../../examples/client/group.js'
import { decodeKeyPackageMessage } from '../../examples/client/mls/key-package-message.js'
import { suite } from '../../examples/client/mls/suites.js'
import { at, refusal, useStage } from '../groups/group-fixture.js'
import { groupInfoOf, signedProposal } from '../groups/hostile.js'
import { forgeLeaf } from '../support/mls/forge.js'
import { proposals } from '../support/mls/proposals.js'

const stage = useStage()
/** By its key, which a device has in all groups; or by its name, if it has several keys. */
const TWICE = /^(leaf-node-signature-key|one-leaf-per-client)$/
const ADMINS = { add_members: 'admins', remove_members: 'admins' } as const

const send = ({ device }: Pick<Client, 'device'>, group: Group, proposal: Uint8Array) =>
  device.http.post<Accepted>(`${group.path}/proposals`, { proposal })

/** Proposes by this device's own state, which does not keep it: as a client would that means harm. */
async function propose(group: Group, proposal: Proposal): Promise<Accepted> {
  const { state, suite: id, mode } = group.record
  const { message } = await createProposal(state, mode === 'public', proposal, (await suite(id)).impl)
  return send(group, group, encodeMlsMessage(message))
}

const leafOf = (group: Group, client: Client) => {
  const { ratchetTree } = group.record.state
  return ratchetTree.findIndex((node) => node?.nodeType === 'leaf' && identity(node.leaf.credential) === client.uri) / 2
}
const identity = (credential: object) =>
  'identity' in credential && credential.identity instanceof Uint8Array ? Buffer.from(credential.identity).toString() : undefined

const removeOf = (group: Group, client: Client): Proposal => ({ proposalType: 'remove', remove: { removed: leafOf(group, client) } })

async function addOf(by: Client, target: Client): Promise<Proposal> {
  const { key_packages: claimed } = await by.device.claim(target.user, 1)
  const own = claimed.find(({ client }) => client === target.uri)!
  return { proposalType: 'add', add: { keyPackage: decodeKeyPackageMessage(own.key_package) } }
}

/** A stranger's own Add (RFC 9420 §12.1.8), each with another KeyPackage. */
async function ownAdd(group: Group, client: Client): Promise<Uint8Array> {
  const own = await client.device.newKeyPackage(1)
  client.device.record.keyPackages.set(own.ref, own)
  return encodeMlsMessage(await proposeAddExternal(await groupInfoOf(group), own.public, own.private, (await suite(1)).impl))
}

/** A member's Update, which the client library does not make. */
async function updateOf(group: Group): Promise<Uint8Array> {
  const { signaturePrivateKey, privatePath, groupContext } = group.record.state
  const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), signaturePrivateKey.slice(-32)])
  const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
  const publicKey = createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(-32)
  const place = { groupId: groupContext.groupId, leafIndex: privatePath.leafIndex }
  const leaf = await forgeLeaf({ privateKey, publicKey }, group.device.client, { kind: 'update' }, place)
  const { message } = await createProposal(group.record.state, true, decodeProposal(proposals.update(leaf), 0)![0], (await suite(1)).impl)
  return encodeMlsMessage(message)
}

/** All members can still commit what waits, and the group is what they make it. */
async function commits(group: Group, by: Client): Promise<string[]> {
  await stage.sync(by)
  await at(by, group).update()
  return at(by, group).members
}

describe('a Proposal of a member who may not commit it', () => {
  it('is refused: to remove, to add, to reinitialize; and no other member’s Commit carries it out', async () => {
    const [alice, bob, carol, dave] = await stage.cast('alice', 'bob', 'carol', 'dave')
    const group = await stage.group(alice, [bob, carol], { policy: ADMINS })
    const bobs = at(bob, group)
    const wishes: Proposal[] = [
      removeOf(bobs, carol),
      await addOf(bob, dave),
      {
        proposalType: 'reinit',
        reinit: {
          groupId: Buffer.from('taken'),
          version: 'mls10',
          cipherSuite: group.record.state.groupContext.cipherSuite,
          extensions: [],
        },
      },
    ]
    for (const wish of wishes) expect(await refusal(propose(bobs, wish))).toMatchObject({ status: 403, kind: 'policy' })
    expect(await commits(group, alice)).toEqual([alice.uri, bob.uri, carol.uri])
    expect(await commits(group, bob)).toEqual([alice.uri, bob.uri, carol.uri])
  })

  it('is taken where the policy leaves it to members, and of an admin always; any committer carries it out', async () => {
    const [alice, bob, carol, dave] = await stage.cast('alice', 'bob', 'carol', 'dave')
    const group = await stage.group(alice, [bob, carol], { policy: ADMINS })
    await propose(group, removeOf(group, carol))
    await propose(group, await addOf(alice, dave))
    expect(await commits(group, bob)).toEqual([alice.uri, bob.uri, dave.uri])
    const open = await stage.group(alice, [bob, carol])
    await propose(at(bob, open), removeOf(open, carol))
    expect(await commits(open, alice)).toEqual([alice.uri, bob.uri])
  })

  it('may remove and add devices of the own user, whatever the policy', async () => {
    const [alice, bob, laptop, tablet] = await stage.cast('alice', 'bob', 'bob/laptop', 'bob/tablet')
    const group = await stage.group(alice, [bob, laptop, tablet], { policy: ADMINS })
    await propose(at(bob, group), removeOf(group, laptop))
    expect(await commits(group, alice)).toEqual([alice.uri, bob.uri, tablet.uri])
    await stage.sync(bob)
    await propose(at(bob, group), await addOf(bob, laptop))
    expect(await commits(group, alice)).toEqual([alice.uri, bob.uri, laptop.uri, tablet.uri])
  })
})

describe('a Proposal to add a client', () => {
  it('that has a leaf, or waits to be added, is refused, and members keep committing', async () => {
    const [alice, bob, dave] = await stage.cast('alice', 'bob', 'dave')
    const group = await stage.group(alice, [bob])
    expect(await refusal(propose(at(bob, group), await addOf(bob, alice)))).toMatchObject({
      status: 422,
      document: { rule: expect.stringMatching(TWICE) },
    })
    await propose(at(bob, group), await addOf(bob, dave))
    expect(await refusal(propose(at(bob, group), await addOf(bob, dave)))).toMatchObject({
      status: 422,
      document: { rule: expect.stringMatching(TWICE) },
    })
    expect(await commits(group, alice)).toEqual([alice.uri, bob.uri, dave.uri])
  })

  it('that was removed in the same epoch is taken', async () => {
    const [alice, bob, carol] = await stage.cast('alice', 'bob', 'carol')
    const group = await stage.group(alice, [bob, carol])
    await propose(at(bob, group), removeOf(group, carol))
    await propose(at(bob, group), await addOf(bob, carol))
    expect(await commits(group, alice)).toEqual([alice.uri, bob.uri, carol.uri])
  })

  it('of a banned user, of a revoked device, or with a key that is not registered is refused', async () => {
    const [alice, bob, dave, eve, laptop] = await stage.cast('alice', 'bob', 'dave', 'eve', 'eve/laptop')
    const group = await stage.group(alice, [bob])
    const [davesAdd, laptopsAdd] = [await addOf(bob, dave), await addOf(bob, laptop)]
    await alice.device.http.put(`${group.path}/bans/${dave.user.split('/u/')[1]}`)
    expect(await refusal(propose(at(bob, group), davesAdd))).toMatchObject({ status: 403, kind: 'policy' })
    await eve.device.revoke('laptop')
    expect(await refusal(propose(at(bob, group), laptopsAdd))).toMatchObject({ status: 422, document: { rule: 'credential-revoked' } })
    expect(await commits(group, alice)).toEqual([alice.uri, bob.uri])
  })
})

describe.each(['public', 'private'] as const)('a stranger who proposes to be added to a %s group that is open', (mode) => {
  it('does so once, and does not keep the members from committing', async () => {
    const [alice, bob, mallory] = await stage.cast('alice', 'bob', 'mallory')
    const group = await stage.group(alice, [bob], { mode, policy: { ...ADMINS, external_join: 'open' } })
    const wishes = await Promise.all(Array.from({ length: 8 }, () => ownAdd(group, mallory)))
    const answers = await Promise.all(
      wishes.map((wish) =>
        send(mallory, group, wish).then(
          () => 'taken',
          ({ document }: { document: { rule?: string } }) => document.rule,
        ),
      ),
    )
    expect(answers.toSorted()).toEqual([...Array.from({ length: 7 }, () => 'leaf-node-signature-key'), 'taken'])
    expect(await commits(group, bob)).toEqual([alice.uri, bob.uri, mallory.uri])
    await stage.sync(alice, mallory)
    expect(at(mallory, group).epoch).toBe(at(bob, group).epoch)
    expect(await commits(group, alice)).toEqual([alice.uri, bob.uri, mallory.uri])
  })

  it('is refused while it is in, and where many strangers wait', async () => {
    const [alice, bob, carol] = await stage.cast('alice', 'bob', 'carol')
    const group = await stage.group(alice, [bob, carol], { mode, policy: { external_join: 'open' } })
    expect(await refusal(send(bob, group, await ownAdd(group, bob)))).toMatchObject({
      status: 422,
      document: { rule: expect.stringMatching(TWICE) },
    })
    const strangers = await stage.cast(...Array.from({ length: 33 }, (_, at) => `s${at}`))
    for (const stranger of strangers.slice(1)) await send(stranger, group, await ownAdd(group, stranger))
    const refused = await refusal(send(strangers[0]!, group, await ownAdd(group, strangers[0]!)))
    expect([refused.status, refused.kind]).toEqual([409, 'too-many-proposals'])
    // What members propose has room of its own.
    if (mode === 'public') await propose(at(bob, group), { proposalType: 'remove', remove: { removed: leafOf(group, carol) } })
    expect(await commits(group, bob)).toHaveLength(mode === 'public' ? 34 : 35)
  })
})

describe('one member', () => {
  it('cannot fill the place of all others’ proposals', async () => {
    const [bob, alice, carol] = await stage.cast('bob', 'alice', 'carol')
    const group = await stage.group(bob, [alice, carol])
    for (let n = 0; n < 128; n++) await send(bob, group, await signedProposal(group, proposals.externalPsk(String(n))))
    expect(await refusal(send(bob, group, await signedProposal(group, proposals.externalPsk('one more'))))).toMatchObject({
      status: 409,
      kind: 'too-many-proposals',
    })
    await propose(at(carol, group), removeOf(group, alice))
  })

  it('does not keep itself in by an Update that waits', async () => {
    const [alice, bob, carol] = await stage.cast('alice', 'bob', 'carol')
    const group = await stage.group(alice, [bob, carol])
    await send(carol, group, await updateOf(at(carol, group)))
    expect(await refusal(send(carol, group, await updateOf(at(carol, group))))).toMatchObject({
      status: 422,
      document: { rule: 'one-change-per-leaf' },
    })
    await stage.sync(alice)
    await group.remove(carol.uri)
    expect(group.members).toEqual([alice.uri, bob.uri])
  })
})
