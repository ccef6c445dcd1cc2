import { Injectable } from '@nestjs/common'
import type { FanoutMessage } from '../../../protocol/mimi/fanout-message.js'
import { NotTheHub } from '../../inbound/inbound.problems.js'
import { DraftReplicas } from './draft-replicas.js'
import { draftRoom, type DraftRoom } from './draft-room.js'
import { DraftWelcomes } from './draft-welcomes.js'

/** What hubs that speak nothing but the draft fan out (draft-ietf-mimi-protocol-06, Fanout Messages and Room Events). */
@Injectable()
export class DraftNotify {
  constructor(
    private readonly replicas: DraftReplicas,
    private readonly welcomes: DraftWelcomes,
  ) {}

  /**
   * Takes them in their order; those before one that is refused are stored. What comes twice changes nothing, and is answered alike.
   * @param roomId of the provider that sends them
   */
  async receive(roomId: string, messages: readonly FanoutMessage[]): Promise<void> {
    const room = draftRoom(roomId)
    if (!room) throw new NotTheHub()
    for (const message of messages) await this.take(room, message)
  }

  private async take(room: DraftRoom, message: FanoutMessage): Promise<void> {
    const { kind, acceptedAtMs } = message
    if (kind === 'welcome') return this.welcomes.take(room, message)
    await this.replicas.place(room, { kind, bytes: message.message, acceptedAtMs })
    // With a Proposal those that were sent along, with a Commit those that the hub makes for the epoch after it.
    for (const bytes of message.proposals) await this.replicas.place(room, { kind: 'proposal', bytes, acceptedAtMs })
  }
}
