import { Controller } from '@nestjs/common'
import { decodeFanoutMessages, type FanoutMessage } from '../../protocol/mimi/fanout-message.js'
import { decodeSubmitMessageRequest, type SubmitMessageRequest } from '../../protocol/mimi/submit-message.js'
import { decodeUpdateRequest, type UpdateRequest } from '../../protocol/mimi/update.js'
import { groupIdOf } from '../hub/hosted-rooms.js'
import { PEER_PATH } from '../identity/endpoints.js'
import { RoomPost, RoomVariable } from '../inbound/peer-route.js'
import { CurrentPeer, type Peer } from '../inbound/peer.js'
import { RoomBody, RoomGroups } from '../inbound/room.guard.js'
import { DraftSubmissions } from './draft-submissions.js'
import { DraftNotify } from './follower/draft-notify.js'

/** The endpoints whose bodies are others in the draft than in the profile of this server; the rest of the draft's are the same. */
@Controller(PEER_PATH)
export class DraftController {
  constructor(
    private readonly submissions: DraftSubmissions,
    private readonly notified: DraftNotify,
  ) {}

  @RoomPost('draftUpdate/:roomId', { of: 'here', read: decodeUpdateRequest, groups: (request) => messagesOf(request).map(groupIdOf) })
  update(
    @CurrentPeer() peer: Peer,
    @RoomVariable() roomId: string,
    @RoomBody() request: UpdateRequest,
    @RoomGroups() addresses: readonly Uint8Array[],
  ): Promise<Uint8Array> {
    const messages = messagesOf(request).flatMap((message, index) => {
      const groupId = addresses[index]
      return groupId ? [{ message, groupId }] : []
    })
    return this.submissions.update(peer, roomId, request, messages)
  }

  @RoomPost('draftSubmitMessage/:roomId', { of: 'here', read: decodeSubmitMessageRequest, groups: ({ message }) => [groupIdOf(message)] })
  submit(
    @CurrentPeer() peer: Peer,
    @RoomVariable() roomId: string,
    @RoomBody() request: SubmitMessageRequest,
    @RoomGroups() [address = NONE]: readonly Uint8Array[],
  ): Promise<Uint8Array> {
    return this.submissions.submit(peer, roomId, request, address)
  }

  @RoomPost('draftNotify/:roomId', { of: 'sender', read: decodeFanoutMessages }, 201)
  async notify(@RoomVariable() roomId: string, @RoomBody() messages: readonly FanoutMessage[]): Promise<undefined> {
    await this.notified.receive(roomId, messages)
  }
}

/** No group has it. */
const NONE = new Uint8Array()

function messagesOf(request: UpdateRequest): readonly Uint8Array[] {
  return request.kind === 'commit' ? [request.commit] : request.proposals
}
