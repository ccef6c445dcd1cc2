import { Injectable } from '@nestjs/common'
import type { ForeignClaim } from '../../authentication/directory/foreign-devices.repository.js'
import type { Caller } from '../../authentication/session/caller.js'
import type { SubmitCommit, SubmitMessage, SubmitProposal } from '../groups.dto.js'
import type { Home } from './homes.repository.js'

/** A call as it goes to the hub of a group: MIMI has endpoints for handshakes and messages; all else goes to this product's `operation`. */
export type HubCall =
  | { readonly endpoint: 'commit'; readonly body: SubmitCommit }
  | { readonly endpoint: 'proposal'; readonly body: SubmitProposal }
  | { readonly endpoint: 'message'; readonly body: SubmitMessage }
  | { readonly endpoint: 'operation'; readonly name: string; readonly args: object }

/** Other providers, as the groups here need them. The layer above, which knows how to talk to them, connects itself. */
export interface Federation {
  /** The hub's answer to the same call there, as it would be given here. Problems come as they are there. */
  call(home: Home, caller: Caller, call: HubCall): Promise<unknown>
  /** The current group of a room elsewhere. */
  findRoom(caller: Caller, roomId: string): Promise<Home>
  /** Makes sure that the directory here knows of these what their providers vouch for; those of no provider that answers stay unknown. */
  introduce(claims: readonly ForeignClaim[]): Promise<void>
}

/** Two providers in a room that do not federate with each other. */
export interface Apart {
  /** Domain of the one that refuses. */
  readonly by: string
  /** Domain of the one that is refused. */
  readonly provider: string
}

/** @param gid row id of a group that is at home here */
export type ApartIn = (gid: bigint) => Promise<readonly Apart[]>

/** Unconnected, this server knows no other. */
@Injectable()
export class FederationLink {
  private connected: Federation | undefined

  get peers(): Federation | undefined {
    return this.connected
  }

  private apart: ApartIn | undefined

  /** Those in a group here that refuse each other, as far as this server knows. */
  async apartIn(gid: bigint): Promise<readonly Apart[]> {
    return (await this.apart?.(gid)) ?? []
  }

  connectApart(apartIn: ApartIn): void {
    this.apart = apartIn
  }

  connect(federation: Federation): void {
    this.connected = federation
  }
}
