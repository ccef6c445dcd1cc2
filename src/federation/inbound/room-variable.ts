import { Param } from '@nestjs/common'
import { RoomUri } from '../../authentication/identifiers.dto.js'

/** `{roomId}` of an endpoint; nothing but a room's URI gets as far as a query. */
export const RoomVariable = () => Param('roomId', { schema: RoomUri })
