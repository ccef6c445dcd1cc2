import type { Client } from '../../../examples/client/client.js'
import type { Group } from '../../../examples/client/group.js'
import type { World } from '../../support/world.js'
import type { Chat } from './peer/chat.js'
import { decodeWhole } from './peer/codec.js'
import { Device } from './peer/device.js'
import { readGroupInfoResponse } from './peer/group-info-bodies.js'

/** The group of a room of a draft hub, once the client is in it. */
export async function groupOf(client: Client, chat: Chat, room: string): Promise<Group> {
  const { groupId } = chat.device.group(room)
  await client.until('joining', () => client.store.group(groupId)?.standing === 'member')
  return client.group(groupId)
}

/** A further device of a user here, and the external Commit by which it is about to join; its MLS is that of the draft peer. */
export async function fromOutside(world: World, user: Client, group: Group, room: string) {
  const laptop = await world.unknown(user.user.split('/u/')[1]!, 'laptop')
  await user.device.enrol(laptop.device)
  const device = await Device.create(laptop.uri, laptop.device.record.keys.get(1))
  const { request, open } = await device.askGroupInfo()
  const { response } = await laptop.device.http.post<{ response: Uint8Array }>(`${group.path}/sealed-group-info`, { request })
  return { laptop, device, ...(await device.joinExternally(room, await open(decodeWhole(response, readGroupInfoResponse)))) }
}
