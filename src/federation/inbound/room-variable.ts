import { createParamDecorator, type ExecutionContext } from '@nestjs/common'
import { NotFound } from '../../platform/http/problem.js'
import { parseRoomUri } from '../../protocol/identifiers.js'

/** `{roomId}` of an endpoint; nothing but a room's URI gets as far as a query. */
export const RoomVariable = createParamDecorator((_data: unknown, context: ExecutionContext): string => {
  const { roomId } = context.switchToHttp().getRequest<{ params: { roomId?: string } }>().params
  if (roomId === undefined || !parseRoomUri(roomId)) throw new NotFound('The path names no room: mimi://<domain>/r/<room>.')
  return roomId
})
