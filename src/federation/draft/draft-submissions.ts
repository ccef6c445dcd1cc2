import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { GroupOperations } from '../../groups/operations/group-operations.js'
import type { Problem } from '../../platform/http/problem.js'
import { problemFor } from '../../platform/http/send-problem.js'
import { POOL } from '../../platform/postgres/sql.js'
import { encodeSubmitMessageResponse, type SubmitMessageRequest, type SubmitMessageResponse } from '../../protocol/mimi/submit-message.js'
import { encodeUpdateResponse, type UpdateRequest, type UpdateResponse } from '../../protocol/mimi/update.js'
import { sha256 } from '../../protocol/sha256.js'
import { groupForPeer } from '../hub/hub.repository.js'
import { commitOf, submitRefusal, updateRefusal } from '../hub/submission-answers.js'
import { NotTheHub } from '../inbound/inbound.problems.js'
import { requireUriOfPeer, type Peer } from '../inbound/peer.js'
import { DraftSenders } from './draft-senders.js'
import { acceptedEarlier } from './vouched.repository.js'

/** A message of an update, and the address of the group that it is of. */
interface Handshake {
  readonly message: Uint8Array
  readonly groupId: Uint8Array
}

/** What followers that speak nothing but the draft submit: with the draft's bodies, which name no sender of an update and only the user of a post. */
@Injectable()
export class DraftSubmissions {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly senders: DraftSenders,
    private readonly operations: GroupOperations,
  ) {}

  /** @returns a SubmitMessageResponse @throws NotTheHub for a room that the peer must not know of */
  async submit(peer: Peer, roomId: string, { message, sendingUri }: SubmitMessageRequest, groupId: Uint8Array): Promise<Uint8Array> {
    requireUriOfPeer(peer, sendingUri, 'sender')
    await this.requireKnown(peer, roomId)
    try {
      const caller = await this.senders.ofPost(peer, groupId, sendingUri)
      await this.operations.perform('message', caller, groupId, { message })
      return encodeSubmitMessageResponse({ code: 'accepted', acceptedAtMs: BigInt(Date.now()) })
    } catch (thrown) {
      return encodeSubmitMessageResponse(refused<SubmitMessageResponse>(thrown, submitRefusal))
    }
  }

  /** @returns an UpdateRoomResponse @throws NotTheHub */
  async update(peer: Peer, roomId: string, request: UpdateRequest, messages: readonly Handshake[]): Promise<Uint8Array> {
    await this.requireKnown(peer, roomId)
    try {
      for (const handshake of messages) await this.take(peer, handshake, request)
      return encodeUpdateResponse({ code: 'success', description: '', acceptedAtMs: BigInt(Date.now()) })
    } catch (thrown) {
      if (thrown instanceof NotTheHub) throw thrown
      return encodeUpdateResponse(refused<UpdateResponse>(thrown, updateRefusal))
    }
  }

  private async take(peer: Peer, { message, groupId }: Handshake, request: UpdateRequest): Promise<void> {
    // Of an epoch that is gone, nobody can tell any more who has sent it.
    if (await acceptedEarlier(this.pool, peer.domain, groupId, sha256(message))) return
    const caller = await this.senders.ofHandshake(peer, groupId, message)
    if (request.kind === 'commit') await this.operations.perform('commit', caller, groupId, commitOf(request))
    else await this.operations.perform('proposal', caller, groupId, { proposal: message })
  }

  /** Judged before anything is written down of whom the message names. */
  private async requireKnown(peer: Peer, roomId: string): Promise<void> {
    if (!(await groupForPeer(this.pool, roomId, peer.domain))) throw new NotTheHub()
  }
}

/** The draft has codes for what a client could mend; that the peer itself is refused, it learns by the status. */
function refused<Answer>(thrown: unknown, answer: (problem: Problem) => Answer): Answer {
  const problem = problemFor(thrown)
  if (!problem || problem.status >= 500 || problem.status === 429) throw thrown
  return answer(problem)
}
