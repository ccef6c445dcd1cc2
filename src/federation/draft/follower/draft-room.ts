import { parseRoomUri } from '../../../protocol/identifiers.js'

/** A room of a hub that speaks nothing but the draft, and its group. */
export interface DraftRoom {
  /** Domain. */
  readonly hub: string
  readonly roomId: string
  readonly groupId: Uint8Array
}

/**
 * The room with the group that it has by the draft's own naming (`mimi://a.example/g/clubhouse` of `mimi://a.example/r/clubhouse`, its table of URIs): a Welcome
 * tells no server which group it is to, so a room whose group has another id cannot be followed.
 */
export function draftRoom(roomId: string): DraftRoom | undefined {
  const parsed = parseRoomUri(roomId)
  return parsed && { hub: parsed.domain, roomId, groupId: Buffer.from(`mimi://${parsed.domain}/g/${parsed.room}`) }
}
