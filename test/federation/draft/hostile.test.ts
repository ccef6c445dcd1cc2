import { randomBytes } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { decodeKeyPackage } from 'ts-mls/keyPackage.js'
import { allHeard, draftUser, entered, plainGroup, roomOf, useDraftWorld } from './draft-world.js'
import { Chat } from './peer/chat.js'
import { bytes, decodeWhole, opaque, u64, u8 } from './peer/codec.js'
import { decodeMls, Device } from './peer/device.js'
import { readGroupInfoResponse } from './peer/group-info-bodies.js'
import { MLS10 } from './peer/key-material.js'
import { encodeConsentEntry, CONSENT } from './peer/other-bodies.js'
import { encodeSubmitRequest, encodeUpdateRequest, UPDATE_CODES } from './peer/room-bodies.js'
import type { Endpoint } from './peer/transport.js'
import { clientUri, roomUri } from './peer/uris.js'

// A provider that the operator has admitted as a draft peer, with the right certificate, that means ill.

describe('a hostile provider of the draft', () => {
  const draft = useDraftWorld()

  /** A room here with a user of each draft provider. */
  async function roomOfThree(join: 'same-user' | 'open' = 'same-user') {
    const [alice] = await draft.world.cast('alice')
    const [bob] = await draftUser(draft.b, 'bob')
    const [dave] = await draftUser(draft.c, 'dave')
    const group = await plainGroup(draft.world, alice, [], join)
    const room = await roomOf(group)
    await group.add(bob!.device.user, dave!.device.user)
    await Promise.all([entered(bob!, room), entered(dave!, room)])
    return { alice, bob: bob!, dave: dave!, group, room }
  }

  const post = async (endpoint: Endpoint, argument: string, body: Uint8Array) =>
    (await draft.b.caller.post('a.example', endpoint, argument, body)).status

  it('gets a message into the log once, however often it sends the same bytes', async () => {
    const { bob, dave, group, room } = await roomOfThree()
    const message = await bob.device.group(room).encrypt('once')
    const body = encodeSubmitRequest({ message, sender: bob.device.user })
    await Promise.all(Array.from({ length: 5 }, () => post('submitMessage', room, body)))
    await dave.send(room, 'after')
    await allHeard(room, [group], [bob, dave], ['once', 'after'])
  })

  it('does not move the group on by a Commit that it sends again', async () => {
    const { bob, dave, group, room } = await roomOfThree()
    const bundle = await bob.device.group(room).commit([])
    const body = encodeUpdateRequest(bundle)
    const statuses = await Promise.all(Array.from({ length: 4 }, () => post('update', room, body)))
    expect(statuses.every((status) => status === 200)).toBe(true)
    await dave.send(room, 'still one group').catch(() => undefined)
    await group.send('here')
    await group.device.http.get(group.path)
    expect(group.epoch).toBe(2)
  })

  it('speaks for nobody of another provider', async () => {
    const { alice, bob, dave, room, group } = await roomOfThree()
    const message = await bob.device.group(room).encrypt('not mine')
    for (const sender of [alice.user, dave.device.user, 'mimi://b.example/u/nobody', '']) {
      const answer = await bob.submit(room, { message, sender }).catch(() => ({ code: -1 }))
      expect(answer.code).not.toBe(0)
    }
    expect(
      await post(
        'requestConsent',
        'a.example',
        encodeConsentEntry({ operation: CONSENT.request, requester: dave.device.user, target: alice.user }),
      ),
    ).toBe(403)
    expect(
      await post(
        'updateConsent',
        'a.example',
        encodeConsentEntry({ operation: CONSENT.grant, requester: alice.user, target: dave.device.user }),
      ),
    ).toBe(403)
    expect(
      await post(
        'requestConsent',
        'c.example',
        encodeConsentEntry({ operation: CONSENT.request, requester: bob.device.user, target: dave.device.user }),
      ),
    ).toBeGreaterThanOrEqual(400)
    const asDave = new Chat(draft.b, dave.device)
    expect(await asDave.report(room, { abuser: alice.user, reason: 0, note: '' })).toBeGreaterThanOrEqual(400)
    const claim = await asDave.claim(room, alice.user).catch(() => undefined)
    expect(claim?.clients ?? []).toEqual([])
    expect((await group.history(1)).entries.filter(({ kind }) => kind === 'application')).toEqual([])
  })

  it('commits for nobody of another provider, though it may have that one’s keys', async () => {
    const { dave, room, group } = await roomOfThree()
    const before = group.epoch
    const bundle = await dave.device.group(room).commit([])
    const answer = await new Chat(draft.b, dave.device).update(room, bundle).catch(() => undefined)
    expect(answer?.code).not.toBe(UPDATE_CODES.success)
    const removal = await dave.device.group(room).propose({ proposalType: 'remove', remove: { removed: 0 } })
    const proposed = await new Chat(draft.b, dave.device)
      .update(room, { kind: 'proposal', message: removal, moreProposals: [] })
      .catch(() => undefined)
    expect(proposed?.code).not.toBe(UPDATE_CODES.success)
    expect(group.epoch).toBe(before)
  })

  it('joins nobody from outside under a foreign name, nor a stranger where only users’ own devices may', async () => {
    const { alice, dave, room } = await roomOfThree()
    const names = [
      clientUri('a.example', 'alice', 'phone'),
      alice.uri,
      dave.device.client,
      clientUri('b.example', 'mallory', 'phone'),
      'mimi://b.example/x',
    ]
    for (const name of names) {
      const forged = await Device.create(name)
      const { request, open } = await forged.askGroupInfo()
      const answer = await draft.b.caller.post('a.example', 'groupInfo', room, request)
      const response = answer.status === 200 ? decodeWhole(answer.body, readGroupInfoResponse) : undefined
      expect(response?.sealed).toBeUndefined()
      void open
    }
  })

  it('joins nobody by an external Commit that it makes from what its member knows', async () => {
    const { alice, bob, dave, room, group } = await roomOfThree()
    const before = group.epoch
    const groupInfo = await bob.device.group(room).publicInfo()
    for (const name of [alice.uri, dave.device.client, clientUri('c.example', 'x', 'y'), clientUri('b.example', 'mallory', 'phone')]) {
      const forged = await Device.create(name)
      const { bundle } = await forged.joinExternally(room, { ...groupInfo, pending: [] })
      const answer = await new Chat(draft.b, forged).update(room, bundle).catch(() => undefined)
      expect({ name, code: answer?.code }).not.toEqual({ name, code: UPDATE_CODES.success })
    }
    await group.send('nobody new')
    await allHeard(room, [group], [bob, dave], ['nobody new'])
    expect(group.epoch).toBe(before)
  })

  it('adds nobody with a KeyPackage that it has made itself', async () => {
    const { bob, room, group } = await roomOfThree()
    const [carol] = await draft.world.cast('carol')
    const before = group.epoch
    for (const name of [carol.uri, clientUri('c.example', 'eve', 'phone')]) {
      const forged = await Device.create(name)
      const keyPackage = decodeMls((await forged.newKeyPackage()).keyPackage, decodeKeyPackage)
      const refused = await bob.tryCommit(room, () => [{ proposalType: 'add', add: { keyPackage } }]).catch(() => ({ code: -1 }))
      expect({ name, code: refused.code }).not.toEqual({ name, code: UPDATE_CODES.success })
    }
    expect(group.epoch).toBe(before)
  })

  it('changes nothing in rooms of other hubs over this server', async () => {
    const { bob, dave } = await roomOfThree()
    const room = await dave.createRoom('of-c')
    await dave.add(room, bob.device.user)
    await entered(bob, room)
    const bundle = await bob.device.group(room).commit([])
    expect(await post('update', room, encodeUpdateRequest(bundle))).toBeGreaterThanOrEqual(400)
    const message = await bob.device.group(room).encrypt('x')
    expect(await post('submitMessage', room, encodeSubmitRequest({ message, sender: bob.device.user }))).toBeGreaterThanOrEqual(400)
    const { request } = await bob.device.askGroupInfo()
    const info = await draft.b.caller.post('a.example', 'groupInfo', room, request)
    expect(info.status === 200 ? decodeWhole(info.body, readGroupInfoResponse).sealed : undefined).toBeUndefined()
  })

  it('fans nothing out for a room whose hub is this server or another provider', async () => {
    const { bob, dave, room, group } = await roomOfThree()
    const message = await bob.device.group(room).encrypt('forged')
    const body = bytes(u64(Date.now()), message, u8(0))
    for (const uri of [room, roomUri('c.example', 'any'), roomUri('a.example', 'none')]) {
      expect(await post('notify', uri, body)).toBeGreaterThanOrEqual(400)
    }
    await dave.send(room, 'true')
    await allHeard(room, [group], [dave], ['true'])
  })

  it('pays for large and malformed bodies with a refusal, and the server goes on', async () => {
    const { bob, dave, room, group } = await roomOfThree()
    const large = new Uint8Array(randomBytes(4 * 1024 * 1024))
    for (const endpoint of ['update', 'submitMessage', 'notify', 'groupInfo', 'reportAbuse'] as const) {
      for (const body of [large, Uint8Array.of(MLS10, 0xff), new Uint8Array()]) {
        const status = await post(endpoint, room, body)
        expect({ endpoint, refused: [400, 403, 404, 409, 413, 422].includes(status), status }).toMatchObject({ endpoint, refused: true })
      }
    }
    const nested = bytes(u8(MLS10), opaque(large.slice(0, 100_000)))
    expect(await post('submitMessage', room, nested)).toBe(422)
    await bob.send(room, 'still here')
    await allHeard(room, [group], [bob, dave], ['still here'])
  })

  it('gets no further with a Commit whose GroupInfo is another one’s, and misleads no joiner with another tree', async () => {
    const { bob, room, group } = await roomOfThree()
    const own = await bob.createRoom('own')
    const foreign = await bob.device.group(own).commit([])
    const before = group.epoch
    const refused = await bob
      .update(room, { ...(await bob.device.group(room).commit([])), groupInfo: foreign.groupInfo })
      .catch(() => ({ code: -1 }))
    expect(refused.code).not.toBe(UPDATE_CODES.success)
    expect(group.epoch).toBe(before)
    // The hub makes the tree from the Commits itself (§5.3, §5.5).
    const accepted = await bob.update(room, { ...(await bob.device.group(room).commit([])), tree: foreign.tree })
    bob.device.group(room).settle(accepted.code === UPDATE_CODES.success)
    const [eve] = await draftUser(draft.c, 'eve')
    await bob.add(room, eve!.device.user)
    await entered(eve!, room)
    await eve!.send(room, 'the right tree')
    await allHeard(room, [group], [bob, eve!], ['the right tree'])
  })
})
