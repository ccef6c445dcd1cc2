import { describe, expect, it } from '@jest/globals'
import type { Client } from '../../../examples/client/client.js'
import { eventually } from '../../support/eventually.js'
import { removed } from '../../support/world.js'
import { allHeard, draftUser, entered, useDraftWorld } from './draft-world.js'
import type { Chat } from './peer/chat.js'
import { bytes, decodeWhole, u16 } from './peer/codec.js'
import { Device } from './peer/device.js'
import { readGroupInfoResponse } from './peer/group-info-bodies.js'

/** Numbers of RFC 9420 §17.1 and §17.2, in front of a GroupInfo that is an MLSMessage. */
const [MLS_1_0, GROUP_INFO] = [1, 4]

describe('users here in a room of a provider that speaks the draft alone', () => {
  const draft = useDraftWorld()

  /** The client is in the room’s group. */
  async function inGroup(client: Client, chat: Chat, room: string) {
    const { groupId } = chat.device.group(room)
    await client.until('joining', () => client.store.group(groupId)?.standing === 'member')
    return client.group(groupId)
  }

  it('are added, chat, commit and leave', async () => {
    const [alice] = await draft.world.cast('alice')
    const [bob] = await draftUser(draft.b, 'bob')
    const room = await bob!.createRoom('chat')
    await bob!.add(room, alice.user)
    const group = await inGroup(alice, bob!, room)
    await bob!.send(room, 'hello')
    await allHeard(room, [group], [bob!], ['hello'])
    await group.send('hello yourself')
    await allHeard(room, [group], [bob!], ['hello', 'hello yourself'])
    await group.update()
    await group.send('new keys')
    await allHeard(room, [group], [bob!], ['hello', 'hello yourself', 'new keys'])
    await group.proposeLeaving()
    await eventually(
      () => bob!.device.group(room).waiting,
      (count) => count === 1,
    )
    await bob!.send(room, 'bye')
    await removed(alice, group.record.groupId)
    expect(bob!.device.group(room).members.map(({ client }) => client)).toEqual([bob!.device.client])
  })

  it('add others of their own provider, of the hub and of a third one', async () => {
    const [alice, carol] = await draft.world.cast('alice', 'carol')
    const [bob] = await draftUser(draft.b, 'bob')
    const [bert] = await draftUser(draft.b, 'bert')
    const [dave] = await draftUser(draft.c, 'dave')
    const room = await bob!.createRoom('adding')
    await bob!.add(room, alice.user)
    const group = await inGroup(alice, bob!, room)
    await group.add(carol.user, bert!.device.user, dave!.device.user)
    await Promise.all([entered(bert!, room), entered(dave!, room)])
    const carols = await inGroup(carol, bob!, room)
    await carols.send('all here')
    await dave!.send(room, 'indeed')
    await allHeard(room, [group, carols], [bob!, bert!, dave!], ['all here', 'indeed'])
    await group.remove(bert!.device.client)
    await eventually(
      () => bert!.device.group(room).standing,
      (standing) => standing === 'removed',
    )
    await bob!.removeUser(room, carol.user)
    await removed(carol, group.record.groupId)
  })

  it('join with a further device by an external Commit, for which their server asks the hub (§3.6, §5.6)', async () => {
    const [alice] = await draft.world.cast('alice')
    const [bob] = await draftUser(draft.b, 'bob')
    const room = await bob!.createRoom('device')
    await bob!.add(room, alice.user)
    const group = await inGroup(alice, bob!, room)
    const laptop = await draft.world.unknown(alice.user.split('/u/')[1]!, 'laptop')
    await alice.device.enrol(laptop.device)
    const keys = laptop.device.record.keys.get(1)
    const device = await Device.create(laptop.uri, keys)
    const { request, open } = await device.askGroupInfo()
    const { response } = await laptop.device.http.post<{ response: Uint8Array }>(`${group.path}/sealed-group-info`, { request })
    const { bundle, enter } = await device.joinExternally(room, await open(decodeWhole(response, readGroupInfoResponse)))
    const group_info = bytes(u16(MLS_1_0), u16(GROUP_INFO), bundle.groupInfo)
    await laptop.device.http.post(`${group.path}/commits`, { commit: bundle.message, group_info })
    enter()
    await laptop.device.http.postMessage(`${group.path}/messages`, await device.group(room).encrypt('in'), 1)
    await allHeard(room, [group], [bob!], ['in'])
    expect(bob!.device.group(room).authenticator).toBe(device.group(room).authenticator)
  })

  it('race with members elsewhere, and read everything once', async () => {
    const [alice, carol] = await draft.world.cast('alice', 'carol')
    const [bob] = await draftUser(draft.b, 'bob')
    const [dave] = await draftUser(draft.c, 'dave')
    const room = await bob!.createRoom('race')
    await bob!.add(room, alice.user, carol.user, dave!.device.user)
    const [group, carols] = [await inGroup(alice, bob!, room), await inGroup(carol, bob!, room)]
    await entered(dave!, room)
    await Promise.all([group.update(), carols.update(), bob!.refresh(room), dave!.refresh(room)])
    const texts = ['a', 'b', 'c', 'd'].flatMap((who) => Array.from({ length: 8 }, (_, index) => `${who} ${index}`))
    const say = async (send: (text: string) => Promise<unknown>, who: string) => {
      for (const text of texts.filter((one) => one.startsWith(who))) await send(text)
    }
    await Promise.all([
      say((text) => group.send(text), 'a'),
      say((text) => bob!.send(room, text), 'b'),
      say((text) => carols.send(text), 'c'),
      say((text) => dave!.send(room, text), 'd'),
    ])
    await allHeard(room, [group, carols], [bob!, dave!], texts)
  })
})
