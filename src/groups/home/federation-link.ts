import { Injectable } from '@nestjs/common'
import type { ForeignClaim } from '../../authentication/directory/foreign-devices.repository.js'
import type { Caller } from '../../authentication/session/caller.js'
import type { SubmitCommit } from '../commit/commit.dto.js'
import type { Accepted } from '../groups.dto.js'
import type { Home } from './homes.repository.js'

/** What only the hub of a group can do, beside what MIMI has an endpoint for: the calls of this API that a follower passes on. */
export type HubOperation =
  | 'group'
  | 'group-info'
  | 'tree'
  | 'policy'
  | 'change-policy'
  | 'make-admin'
  | 'dismiss-admin'
  | 'ban'
  | 'unban'
  | 'leave'
  | 'report'
  | 'reset'
  | 'delete'
  | 'publish-sender-key'
  | 'sender-keys'

/** Other providers, as the groups here need them. The layer above, which knows how to talk to them, connects itself. */
export interface Federation {
  submitCommit(home: Home, caller: Caller, body: SubmitCommit): Promise<Accepted>
  submitProposal(home: Home, caller: Caller, proposal: Uint8Array): Promise<Accepted>
  submitMessage(home: Home, caller: Caller, message: Uint8Array): Promise<Accepted>
  /** The hub's answer to the same call there, as the handler here would return it. Problems come as they are there. */
  perform(home: Home, caller: Caller, operation: HubOperation, args: Record<string, unknown>): Promise<unknown>
  /** The current group of a room elsewhere. */
  findRoom(caller: Caller, roomId: string): Promise<Home>
  /** Makes sure that the directory here knows of these what their providers vouch for; those of no provider that answers stay unknown. */
  introduce(claims: readonly ForeignClaim[]): Promise<void>
}

/** Unconnected, this server knows no other. */
@Injectable()
export class FederationLink {
  private connected: Federation | undefined

  get peers(): Federation | undefined {
    return this.connected
  }

  connect(federation: Federation): void {
    this.connected = federation
  }
}
