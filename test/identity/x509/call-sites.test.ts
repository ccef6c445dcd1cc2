import { createPrivateKey, randomUUID } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { createProposal, encodeMlsMessage, proposeAddExternal } from 'ts-mls'
import { decodeProposal } from 'ts-mls/proposal.js'
import type { Client } from '../../../examples/client/client.js'
import type { Accepted, Group } from '../../../examples/client/group.js'
import { joinExternally } from '../../../examples/client/joining.js'
import { suite } from '../../../examples/client/mls/suites.js'
import { utf8 } from '../../../examples/client/wire.js'
import { Authorities } from '../../../src/authentication/x509/authorities.js'
import { replaceAuthoritiesNow } from '../../../src/authentication/x509/authority-rotation.js'
import { Secrets } from '../../../src/platform/secrets.js'
import { begin, claimed, create } from '../../groups/group-creation-fixture.js'
import { at, draft, refusal, submit, useStage } from '../../groups/group-fixture.js'
import { groupInfoOf } from '../../groups/hostile.js'
import { forgeLeaf } from '../../support/mls/forge.js'
import { proposals } from '../../support/mls/proposals.js'
import { showRogue, useX509 } from './x509-clients.js'

const stage = useStage()
// What the server itself checks: its clients believe it here.
stage.identity = false

/** As after a theft: what the authority has issued is worth nothing any more, and this node knows it. */
async function withdrawAuthority(): Promise<void> {
  const { server } = stage
  await replaceAuthoritiesNow(stage.pool, server.config.DOMAIN, server.app.get(Secrets, { strict: false }))
  await server.app.get(Authorities, { strict: false }).published(true)
}

const ruleOf = async (request: Promise<unknown>): Promise<unknown> => (await refusal(request)).document['rule']

const send = ({ device }: Client, group: Group, proposal: Uint8Array) => device.http.post<Accepted>(`${group.path}/proposals`, { proposal })

/** A stranger asks to be added (RFC 9420 §12.1.8), with a leaf of the kind that it has now. */
async function ask(client: Client, group: Group): Promise<Accepted> {
  const own = await client.device.newKeyPackage(1)
  client.device.record.keyPackages.set(own.ref, own)
  const message = await proposeAddExternal(await groupInfoOf(group), own.public, own.private, (await suite(1)).impl)
  return send(client, group, encodeMlsMessage(message))
}

/** The device proposes a new leaf of its own, with the credential that it has now. */
async function proposeUpdate(client: Client, group: Group): Promise<Accepted> {
  const { state } = at(client, group).record
  const { credential } = await client.device.certificates.credential(1)
  if (credential.credentialType !== 'x509') throw new Error('The device shows no certificate')
  const { publicKey, signKey } = client.device.record.keys.get(1)!
  const key = { publicKey, privateKey: createPrivateKey({ key: Buffer.from(signKey), format: 'der', type: 'pkcs8' }) }
  const place = { groupId: group.record.groupId, leafIndex: state.privatePath.leafIndex }
  const leaf = await forgeLeaf(key, client.uri, { kind: 'update' }, place, {
    credential: { kind: 'x509', certificates: credential.certificates },
    capabilities: { credentials: [1, 2] },
  })
  const proposal = decodeProposal(proposals.update(leaf), 0)![0]
  return send(client, group, encodeMlsMessage((await createProposal(state, true, proposal, (await suite(1)).impl)).message))
}

describe.each(['public', 'private'] as const)('in a %s group an X.509 credential is checked', (mode) => {
  it('of the creator', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    showRogue(alice)
    expect(await ruleOf(stage.group(alice, [], { mode }))).toBe('x509-issuer')
    await useX509(bob)
    expect((await stage.group(bob, [], { mode })).members).toEqual([bob.uri])
  })

  it('of the members that it begins with', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob], { mode })
    await useX509(bob)
    const branch = async () => {
      const wish = { before: group.record.state, mode, groupId: utf8(randomUUID()) }
      return { ...(await begin(alice, await claimed(alice, [bob]), wish)).body, branch_of: group.record.groupId }
    }
    expect(await create(alice, await branch())).toMatchObject({ epoch: 1 })
    const ready = await branch()
    await withdrawAuthority()
    expect(await ruleOf(create(alice, ready))).toBe('x509-issuer')
  })

  it('of one who joins from outside', async () => {
    const [alice, bob, mallory] = await stage.cast('alice', 'bob', 'mallory')
    const group = await stage.group(alice, [], { mode, policy: { external_join: 'open' } })
    const join = ({ device }: Client) => joinExternally(device, { groupId: group.record.groupId, mode, suite: 1 })
    showRogue(mallory)
    expect(await ruleOf(join(mallory))).toBe('x509-issuer')
    await useX509(bob)
    expect(await join(bob)).toMatchObject({ standing: 'member' })
  })

  it('of one who asks to be added, when it asks and when it is let in', async () => {
    const [alice, bob, mallory, late] = await stage.cast('alice', 'bob', 'mallory', 'late')
    const group = await stage.group(alice, [], { mode, policy: { external_join: 'open' } })
    showRogue(mallory)
    expect(await ruleOf(ask(mallory, group))).toBe('x509-issuer')
    await useX509(bob)
    await ask(bob, group)
    await stage.sync(alice)
    await group.update()
    expect(group.members).toEqual([alice.uri, bob.uri])
    await useX509(late)
    const { seq } = await ask(late, group)
    await withdrawAuthority()
    await stage.sync(alice)
    const refused = await refusal(submit(alice, group, (await draft(group)).bundle))
    expect(refused).toMatchObject({ status: 409, kind: 'proposals-void', document: { proposals: [{ seq, kind: 'proposal' }] } })
    // The client library leaves it out.
    await group.update()
    expect(group.members).toEqual([alice.uri, bob.uri])
  })
})

describe('in a public group an X.509 credential is checked', () => {
  it('of an Update that is proposed', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob])
    await useX509(bob)
    expect(await proposeUpdate(bob, group)).toMatchObject({ epoch: 1 })
    showRogue(bob)
    expect(await ruleOf(proposeUpdate(bob, group))).toBe('x509-issuer')
  })

  it('of an Add that a member proposes or commits', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [])
    showRogue(bob)
    // A KeyPackage that the server has not given out: the certificate is looked at all the same.
    const { public: keyPackage } = await bob.device.newKeyPackage(1)
    const add = { proposalType: 'add', add: { keyPackage } } as const
    expect(await ruleOf(submit(alice, group, (await draft(group, [add])).bundle))).toBe('x509-issuer')
    const { message } = await createProposal(group.record.state, true, add, (await suite(1)).impl)
    expect(await ruleOf(send(alice, group, encodeMlsMessage(message)))).toBe('x509-issuer')
  })
})
