import {
  createParamDecorator,
  Inject,
  Injectable,
  SetMetadata,
  type CanActivate,
  type CustomDecorator,
  type ExecutionContext,
} from '@nestjs/common'
import { Reflector } from '@nestjs/core'
import { RoomUri } from '../../authentication/identifiers.dto.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import type { Decoded } from '../../protocol/tls/reader.js'
import { HostedRooms } from '../hub/hosted-rooms.js'
import { HomeElsewhere, NotTheHub } from './inbound.problems.js'
import { decodedOrRefused } from './decoded.js'
import { providerOf, type PeerCarrier } from './peer.js'

const PEER_ROOM = 'microchat:peer-room'

/** What an endpoint about a room says of the place of a request. */
export interface PeerRoom<Body = never> {
  /** Whose the room in the address is: of the provider that sends, which is its hub, or of this one, which is the hub. */
  readonly of: 'sender' | 'here'
  /** Reads the body, where it names a room or groups. */
  readonly read?: (bytes: Uint8Array) => Decoded<Body>
  /** The room that the body names: it is that in the address. */
  readonly room?: (body: Body) => string
  /** MLS group ids that the body is about: each is of a group in that room, at home here. */
  readonly groups?: (body: Body) => readonly Uint8Array[]
}

/** The place that an endpoint declares. */
export const InRoom = <Body>(place: PeerRoom<Body>): CustomDecorator => SetMetadata(PEER_ROOM, place)

interface RoomCarrier extends PeerCarrier {
  roomBody?: unknown
  roomGroups?: readonly Uint8Array[]
}

/** The body as the endpoint declares to read it. */
export const RoomBody = createParamDecorator(
  (_data: unknown, context: ExecutionContext): unknown => context.switchToHttp().getRequest<RoomCarrier>().roomBody,
)

/** Addresses here of the groups that the body is about, in its order. */
export const RoomGroups = createParamDecorator(
  (_data: unknown, context: ExecutionContext): readonly Uint8Array[] => context.switchToHttp().getRequest<RoomCarrier>().roomGroups ?? [],
)

/**
 * The room in the address, the room in the body, the sender and the groups that a request is about belong together, before anything else is looked
 * at. It stands behind `PeerGuard`.
 */
@Injectable()
export class RoomGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly rooms: HostedRooms,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const place = this.reflector.get<PeerRoom<unknown> | undefined>(PEER_ROOM, context.getHandler())
    const request = context.switchToHttp().getRequest<RoomCarrier & { params: unknown; body?: unknown }>()
    const { roomId } = request.params as { roomId?: string }
    // A variable that names no room is refused by its schema, which comes later.
    if (!place || !RoomUri.safeParse(roomId).success || roomId === undefined) return true
    const owner = place.of === 'sender' ? request.peer?.domain : this.config.DOMAIN
    if (providerOf(roomId) !== owner) throw place.of === 'sender' ? new HomeElsewhere() : new NotTheHub()
    if (!place.read) return true
    const body = decodedOrRefused(place.read(request.body instanceof Uint8Array ? request.body : new Uint8Array()))
    if (place.room && place.room(body) !== roomId) throw new HomeElsewhere()
    request.roomBody = body
    request.roomGroups = await this.addresses(roomId, place.groups?.(body) ?? [])
    return true
  }

  private async addresses(roomId: string, groups: readonly Uint8Array[]): Promise<readonly Uint8Array[]> {
    const addresses: Uint8Array[] = []
    for (const groupId of groups) addresses.push(await this.rooms.requireGroup(roomId, groupId))
    return addresses
  }
}
