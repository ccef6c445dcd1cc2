import { RoomReference } from '../../groups/rooms/room-reference.js'
import { providerOf } from '../inbound/peer.js'

/** `mimi://<domain>/r/<room>`, of any provider. */
export function isRoomUri(text: string): boolean {
  return providerOf(text) !== undefined && RoomReference.safeParse(text).success
}
