import { afterEach, describe, expect, it } from '@jest/globals'
import { wireformats, type WireformatName } from 'ts-mls/wireformat.js'
import { postOf, sealedGroup, send as post } from '../sealed/sealed-server-fixture.js'
import { SMALL_BATCHES } from '../sealed/sealed-sender-fixture.js'
import { encodeNotifyBatch, type NotifyBatch } from '../../src/protocol/mimi/microchat/notify-batch.js'
import { encodeExtendedUpdateRequest } from '../../src/protocol/mimi/microchat/submissions.js'
import { encodeSubmitMessageRequest } from '../../src/protocol/mimi/submit-message.js'
import { framed } from '../../src/protocol/mimi/common.js'
import { framingDisagreements, Metrics } from '../../src/platform/observability/metrics.js'
import type { Endpoint } from '../../src/federation/identity/endpoints.js'
import { useFederation } from '../support/federated-world.js'
import type { Provider } from '../support/federation.js'
import { BATCH, COMMIT, GROUP_INFO, KEY_PACKAGE, privateMessage, PROPOSAL, WELCOME } from '../support/mimi-samples.js'
import { callPeer } from '../support/peer-call.js'
import { agreed, at, problemOf, type World } from '../support/world.js'

/**
 * A fault in the second reader, put in where it would be: in ts-mls's own table of wire formats. Everything else is as in use, and the
 * strict reader is right about all that is sent here.
 */
const RIGHT = { ...wireformats }
const table = wireformats as Record<WireformatName, number>
const misread = (format: WireformatName): void => void (table[format] = 99)
afterEach(() => void Object.assign(table, RIGHT))

const federated = useFederation(2, SMALL_BATCHES)
const DETAIL = /two readers of its framing disagree \(message\)/

/** What `framing_disagreements_total` of the first provider shows for a wire format. */
async function counted(wireFormat: string): Promise<number> {
  const [a] = federated.providers as [Provider]
  const text = await a.app.get(Metrics, { strict: false }).registry.metrics()
  const line = text.split('\n').find((one) => one.startsWith(`framing_disagreements_total{wire_format="${wireFormat}",field="message"}`))
  return Number(line?.split(' ').at(-1) ?? 0)
}

/** Sends while ts-mls misreads the format. @returns the problem, and by how much the counter rose */
async function refusedOnce(format: WireformatName, request: () => Promise<unknown>) {
  const wireFormat = format.slice('mls_'.length).replaceAll('_', '-')
  const before = await counted(wireFormat)
  misread(format)
  const { status, kind, document } = await problemOf(request())
  Object.assign(table, RIGHT)
  return { status, kind, detail: document.detail, times: (await counted(wireFormat)) - before }
}

const REFUSED = { status: 422, kind: 'undecodable', detail: expect.stringMatching(DETAIL), times: 1 }

async function groupOfTwoProviders() {
  const [home, away] = federated.worlds as [World, World]
  const [[alice], [bob]] = await Promise.all([home.cast('alice'), away.cast('bob')])
  const group = await home.group(alice, [bob])
  await agreed([bob], group)
  return { home, alice, bob, group }
}

describe('a message that only the strict reader reads is refused and counted', () => {
  it.each<[WireformatName, string, (groupId: Uint8Array) => Record<string, unknown>]>([
    ['mls_private_message', 'messages', (groupId) => ({ message: privateMessage('application', groupId) })],
    ['mls_public_message', 'proposals', () => ({ proposal: PROPOSAL })],
    ['mls_public_message', 'commits', () => ({ commit: COMMIT })],
    ['mls_welcome', 'commits', (groupId) => ({ commit: privateMessage('commit', groupId), welcomes: [WELCOME] })],
    ['mls_group_info', 'commits', (groupId) => ({ commit: privateMessage('commit', groupId), group_info: GROUP_INFO })],
  ])('%s from a client, among %s: at the hub, and at a follower before the hub is asked', async (format, resource, body) => {
    const { alice, bob, group } = await groupOfTwoProviders()
    const sent = body(group.record.groupId)
    for (const client of [alice, bob])
      expect(await refusedOnce(format, () => client.device.http.post(`${group.path}/${resource}`, sent))).toEqual(REFUSED)
  })

  it('a KeyPackage that is published', async () => {
    const [alice] = await (federated.worlds as [World])[0].cast('alice')
    const body = { key_packages: [framed('key-package', KEY_PACKAGE)] }
    expect(await refusedOnce('mls_key_package', () => alice.device.http.post('/v1/key-packages', body))).toEqual(REFUSED)
  })

  it('the GroupInfo of a new group', async () => {
    const [alice] = await (federated.worlds as [World])[0].cast('alice')
    const body = { mode: 'private', group_info: GROUP_INFO }
    expect(await refusedOnce('mls_group_info', () => alice.device.http.post('/v1/groups', body))).toEqual(REFUSED)
  })

  it('a sealed post, whose token stays good', async () => {
    const [home] = federated.worlds as [World]
    const clients = await home.cast('alice', 'bob')
    const { group, key, purse } = await sealedGroup(home, clients)
    const request = await postOf(group, key, purse.take(), 'sealed')
    expect(await refusedOnce('mls_private_message', () => post(home.url, request))).toEqual(REFUSED)
    expect(await post(home.url, request)).toMatchObject({ epoch: group.epoch })
    // The message is not of her client, which cannot decrypt what was sent with its own keys.
    federated.staysBehind(clients[0])
  })
})

describe('what a peer sends', () => {
  /** Sends from a.example to b.example, well signed, while ts-mls misreads the format. */
  async function sent(format: WireformatName | undefined, endpoint: Endpoint, argument: string, body: Uint8Array) {
    const [a, b] = federated.providers as [Provider, Provider]
    const before = await total()
    if (format) misread(format)
    const answer = await callPeer(a, b, { endpoint, argument, body })
    Object.assign(table, RIGHT)
    const text = Buffer.from(answer.body).toString('latin1')
    return { status: answer.status, text, times: (await total()) - before }
  }
  const total = async () => (await framingDisagreements.get()).values.reduce((sum, { value }) => sum + value, 0)
  const ROOM = 'mimi://a.example/r/room'
  const notify = (format: WireformatName | undefined, batch: Partial<NotifyBatch>) =>
    sent(format, 'notify', ROOM, encodeNotifyBatch({ ...BATCH, roomId: ROOM, ...batch }))

  it('a notified entry or Welcome is refused as undecodable, not as out of place', async () => {
    const welcomeOnly = { entries: [], roster: [] }
    expect(await notify(undefined, {})).toMatchObject({ status: 422, text: expect.stringContaining('batch-refused'), times: 0 })
    const undecodable = { status: 422, text: expect.stringMatching(/problem:undecodable.*disagree/s), times: 1 }
    expect(await notify('mls_public_message', {})).toMatchObject(undecodable)
    expect(await notify('mls_welcome', welcomeOnly)).toMatchObject(undecodable)
    expect(await notify(undefined, welcomeOnly)).toMatchObject({ text: expect.stringContaining('batch-refused'), times: 0 })
  })

  it('a follower’s submissions are refused by the hub as its own clients’ are', async () => {
    const { bob, group } = await groupOfTwoProviders()
    const { room } = await bob.device.http.get<{ room: string }>(at(bob, group).path)
    const [hub, follower] = federated.providers as [Provider, Provider]
    const { client } = bob.device
    const none = { moreWelcomes: [], joinCode: undefined, removed: [], reinit: false }
    const proposal = encodeExtendedUpdateRequest({ base: { kind: 'proposals', proposals: [PROPOSAL] }, sendingClient: client, ...none })
    const message = encodeSubmitMessageRequest({ message: privateMessage('application', group.record.groupId), sendingUri: client })
    for (const [format, endpoint, body] of [
      ['mls_public_message', 'update', proposal],
      ['mls_private_message', 'submitMessage', message],
    ] as const) {
      const before = await total()
      misread(format)
      const answer = await callPeer(follower, hub, { endpoint, argument: room, body })
      Object.assign(table, RIGHT)
      expect(Buffer.from(answer.body).toString('latin1')).toMatch(/undecodable/)
      expect((await total()) - before).toBe(1)
    }
  })
})
