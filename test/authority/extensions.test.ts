import { describe, expect, it } from '@jest/globals'
import { createProposal, encodeMlsMessage, type Proposal } from 'ts-mls'
import type { Client } from '../../examples/client/client.js'
import type { Group } from '../../examples/client/group.js'
import { suite } from '../../examples/client/mls/suites.js'
import { EXTENSION_TYPES } from '../../src/protocol/mls/structures/extension.js'
import { at, draft, refusal, submit, useStage } from '../groups/group-fixture.js'
import { signedProposal } from '../groups/hostile.js'
import { proposals } from '../support/mls/proposals.js'
import { localName, removeOf, withoutExternalSenders } from './scene-fixture.js'

const stage = useStage()

async function propose(group: Group, proposal: Proposal): Promise<unknown> {
  const { message } = await createProposal(group.record.state, true, proposal, (await suite(1)).impl)
  return group.device.http.post(`${group.path}/proposals`, { proposal: encodeMlsMessage(message) })
}

const leave = ({ device }: Client, group: Group) => device.http.post<{ proposed: boolean }>(`${group.path}/leave`)

describe('the server among the external senders of a public group, by which it proposes Removes,', () => {
  it('is not taken out by a member, who would keep a stolen device in', async () => {
    const [alice, tablet, watch] = await stage.cast('alice', 'mallory/tablet', 'mallory/watch')
    const group = await stage.group(alice, [tablet, watch])
    const own = at(tablet, group)
    // ts-mls makes a path for the Remove only, and the extensions need one too.
    const { bundle } = await draft(own, [withoutExternalSenders(), ...removeOf(own, watch)])
    expect(await refusal(submit(tablet, group, bundle))).toMatchObject({ status: 403, kind: 'policy' })
    expect(await refusal(propose(own, withoutExternalSenders()))).toMatchObject({ status: 403, kind: 'policy' })
    expect(await leave(tablet, group)).toEqual({ proposed: true })
  })

  it('may stay, and still no member changes extensions: some clients could not read that, others not be added', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob])
    const { extensionData } = group.record.state.groupContext.extensions.find(({ extensionType }) => extensionType === 'external_senders')!
    const senders = { type: EXTENSION_TYPES.externalSenders, data: extensionData }
    const capabilities = { type: EXTENSION_TYPES.requiredCapabilities, data: new Uint8Array(3) }
    const post = async (by: Client) =>
      by.device.http.post(`${group.path}/proposals`, {
        proposal: await signedProposal(at(by, group), proposals.groupContextExtensions([capabilities, senders])),
      })
    expect(await refusal(post(bob))).toMatchObject({ status: 403, kind: 'policy' })
    await post(alice)
  })

  it('is taken out by an admin, also by proposal, unless it is dismissed meanwhile', async () => {
    const [alice, bob, carol, dave, erin] = await stage.cast('alice', 'bob', 'carol', 'dave', 'erin')
    const group = await stage.group(alice, [bob, carol, dave, erin])
    await alice.device.http.put(`${group.path}/admins/${localName(bob)}`)
    await propose(at(bob, group), withoutExternalSenders())
    await alice.device.http.delete(`${group.path}/admins/${localName(bob)}`)
    await stage.sync(carol)
    const refused = await refusal(submit(carol, group, (await draft(at(carol, group), removeOf(group, dave))).bundle))
    expect(refused).toMatchObject({ status: 409, kind: 'proposals-void' })
    await stage.sync(alice)
    await group.remove(dave.uri)
    await propose(group, withoutExternalSenders())
    await stage.sync(carol)
    await at(carol, group).remove(erin.uri)
    expect(await leave(carol, group)).toEqual({ proposed: false })
  })
})
