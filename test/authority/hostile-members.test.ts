import { createHash, createPrivateKey, createPublicKey } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { createProposal, encodeMlsMessage, proposeAddExternal, type Proposal } from 'ts-mls'
import type { Client } from '../../examples/client/client.js'
import type { Accepted, Group } from '../../examples/client/group.js'
import { joinExternally } from '../../examples/client/joining.js'
import { decodeKeyPackageMessage } from '../../examples/client/mls/key-package-message.js'
import { suite } from '../../examples/client/mls/suites.js'
import { at, draft, refusal, submit, useStage } from '../groups/group-fixture.js'
import { groupInfoOf } from '../groups/hostile.js'
import { decodeProposal } from 'ts-mls/proposal.js'
import { eventually } from '../support/eventually.js'
import { forgeLeaf, newKey } from '../support/mls/forge.js'
import { proposals } from '../support/mls/proposals.js'

const stage = useStage()
const ADMINS = { add_members: 'admins', remove_members: 'admins' } as const

const send = ({ device }: Pick<Client, 'device'>, group: Group, proposal: Uint8Array) =>
  device.http.post<Accepted>(`${group.path}/proposals`, { proposal })

async function propose(group: Group, proposal: Proposal): Promise<Accepted> {
  const { state, suite: id, mode } = group.record
  const { message } = await createProposal(state, mode === 'public', proposal, (await suite(id)).impl)
  return send(group, group, encodeMlsMessage(message))
}

async function addOf(by: Client, target: Client): Promise<Proposal> {
  const { key_packages: claimed } = await by.device.claim(target.user, 1)
  const own = claimed.find(({ client }) => client === target.uri)!
  return { proposalType: 'add', add: { keyPackage: decodeKeyPackageMessage(own.key_package) } }
}

async function ownAdd(group: Group, client: Client) {
  const own = await client.device.newKeyPackage(1)
  client.device.record.keyPackages.set(own.ref, own)
  const bytes = encodeMlsMessage(await proposeAddExternal(await groupInfoOf(group), own.public, own.private, (await suite(1)).impl))
  return { own, bytes }
}

/** What the client library does: commits all that waits. The answer, or what the problem says. */
async function commits(group: Group, by: Client): Promise<string> {
  await stage.sync(by)
  return at(by, group)
    .update()
    .then(
      () => 'accepted',
      (error: { document?: { rule?: string; detail?: string }; message: string }) =>
        error.document?.rule ?? error.document?.detail ?? error.message,
    )
}

async function join(client: Client, group: Group): Promise<void> {
  const { groupId, mode, suite } = group.record
  client.store.put(await joinExternally(client.device, { groupId, mode, suite, resync: false }))
}

/** With a right membership_tag, so that members take it. */
async function proper(group: Group, proposal: Uint8Array): Promise<Uint8Array> {
  const { state, suite: id } = group.record
  const { message } = await createProposal(state, true, decodeProposal(proposal, 0)![0], (await suite(id)).impl)
  return encodeMlsMessage(message)
}

async function signerLeaf(group: Group, fresh: boolean, identity = group.device.client) {
  const { signaturePrivateKey, privatePath, groupContext } = group.record.state
  const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), signaturePrivateKey.slice(-32)])
  const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
  const publicKey = createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(-32)
  const place = { groupId: groupContext.groupId, leafIndex: privatePath.leafIndex }
  const leaf = await forgeLeaf(fresh ? newKey() : { privateKey, publicKey }, identity, { kind: 'update' }, place)
  return proper(group, proposals.update(leaf))
}

describe('no member is kept from committing by one who', () => {
  it('adds with a KeyPackage that was used before', async () => {
    const [alice, mallory, victim] = await stage.cast('alice', 'mallory', 'victim')
    const group = await stage.group(alice, [mallory])
    const own = await stage.group(mallory, [])
    const add = await addOf(mallory, victim)
    await submit(mallory, own, (await draft(own, [add])).bundle)
    await propose(at(mallory, group), add).catch((error: unknown) => error)
    expect(await commits(group, alice)).toBe('accepted')
  })

  it('adds with a KeyPackage that is then spent elsewhere: the Proposal has spent it', async () => {
    const [alice, mallory, victim] = await stage.cast('alice', 'mallory', 'victim')
    const group = await stage.group(alice, [mallory])
    const own = await stage.group(mallory, [])
    const add = await addOf(mallory, victim)
    await propose(at(mallory, group), add)
    await submit(mallory, own, (await draft(own, [add])).bundle).catch((error: unknown) => error)
    expect(await commits(group, alice)).toBe('accepted')
  })

  it('updates to a key that is not registered', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob])
    await send(bob, group, await signerLeaf(at(bob, group), true)).catch((error: unknown) => error)
    expect(await commits(group, alice)).toBe('accepted')
  })

  it('updates to the identity of another client', async () => {
    const [alice, bob, carol] = await stage.cast('alice', 'bob', 'carol')
    const group = await stage.group(alice, [bob])
    await send(bob, group, await signerLeaf(at(bob, group), false, carol.uri)).catch((error: unknown) => error)
    expect(await commits(group, alice)).toBe('accepted')
  })

  it('brings in a PSK that others do not have', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob])
    await send(bob, group, await proper(at(bob, group), proposals.externalPsk('nobody has it'))).catch((error: unknown) => error)
    expect(await commits(group, alice)).toBe('accepted')
  })

  it('leaves while the ReInit of an admin waits', async () => {
    const [alice, bob, carol] = await stage.cast('alice', 'bob', 'carol')
    const group = await stage.group(alice, [bob, carol])
    const groupId = Buffer.from(String(Math.random()))
    await propose(group, {
      proposalType: 'reinit',
      reinit: { groupId, version: 'mls10', cipherSuite: group.record.state.groupContext.cipherSuite, extensions: [] },
    })
    await carol.device.http.post(`${group.path}/leave`, {})
    await eventually(
      () => stage.log(group),
      (log) => log.length >= 3,
    )
    expect(await commits(group, bob)).toBe('accepted')
  })
})

describe('nothing is gained by one who', () => {
  it('puts a joiner into other groups, by the KeyPackage in its own Add', async () => {
    const [alice, mallory, joiner] = await stage.cast('alice', 'mallory', 'joiner')
    const group = await stage.group(alice, [mallory], { policy: { external_join: 'open' } })
    const { own, bytes } = await ownAdd(group, joiner)
    await send(joiner, group, bytes)
    expect(await commits(group, alice)).toBe('accepted')
    const add: Proposal = { proposalType: 'add', add: { keyPackage: own.public } }
    const outcomes: string[] = []
    for (let n = 0; n < 3; n++) {
      const other = await stage.group(mallory, [])
      outcomes.push(
        await submit(mallory, other, (await draft(other, [add])).bundle).then(
          () => 'accepted',
          ({ document }: { document: { rule: string } }) => document.rule,
        ),
      )
    }
    expect(outcomes).toEqual(Array.from({ length: 3 }, () => 'key-package-used'))
  })

  it('revokes its device before an admin, who has seen the Remove of the server, throws it out', async () => {
    const [alice, phone, tablet] = await stage.cast('alice', 'mallory/phone', 'mallory/tablet')
    const group = await stage.group(alice, [phone, tablet], { policy: { ...ADMINS, external_join: 'open' } })
    await at(phone, group).remove(tablet.uri)
    await stage.sync(alice, tablet)
    await tablet.device.revoke('phone')
    await eventually(
      () => stage.log(group),
      (log) => log.length >= 3,
    )
    await stage.sync(alice)
    await group.remove(phone.uri)
    expect(await refusal(join(tablet, group))).toMatchObject({ status: 403, kind: 'policy' })
  })

  it('proposes to the release before, which does not judge it, what it may not commit', async () => {
    const [alice, bob, carol, dave] = await stage.cast('alice', 'bob', 'carol', 'dave')
    const group = await stage.group(alice, [bob, carol, dave], { policy: ADMINS })
    const leafOf = (client: Client) =>
      group.record.state.ratchetTree.findIndex(
        (node) =>
          node?.nodeType === 'leaf' && Buffer.from((node.leaf.credential as { identity: Uint8Array }).identity).toString() === client.uri,
      ) / 2
    const { message } = await createProposal(
      at(bob, group).record.state,
      true,
      { proposalType: 'remove', remove: { removed: leafOf(carol) } },
      (await suite(1)).impl,
    )
    const bytes = encodeMlsMessage(message)
    // As the release before calls it, which judges no rights.
    await stage.pool.query(
      'SELECT * FROM submit_proposal(p_gid => $1, p_incarnation => 1, p_device => $2, p_member => true, p_epoch => 1, p_hash => $3, p_bytes => $4, p_pending_device => NULL, p_pending_leaf => NULL, p_pending_reason => NULL)',
      [await stage.gid(group), await stage.deviceId(bob), createHash('sha256').update(bytes).digest(), bytes],
    )
    await commits(group, dave)
    expect(at(dave, group).members).toContain(carol.uri)
  })
})
