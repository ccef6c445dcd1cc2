import type { ZodType } from 'zod'
import type { Caller } from '../../authentication/session/caller.js'
import type { SubmitCommit, SubmitMessage, SubmitProposal } from '../groups.dto.js'

/** A call as it goes to the hub of a group: MIMI has endpoints for handshakes and messages; all else goes to this product's `operation`. */
export type HubCall =
  | { readonly endpoint: 'commit'; readonly body: SubmitCommit }
  | { readonly endpoint: 'proposal'; readonly body: SubmitProposal }
  | { readonly endpoint: 'message'; readonly body: SubmitMessage }
  | { readonly endpoint: 'operation'; readonly name: string; readonly args: object }

/** One call about a group, for clients here and for followers. The arguments are those that its schema gives. */
export interface Operation {
  readonly args: ZodType
  /** Where the group is at home here. @throws Problem */
  perform(caller: Caller, groupId: Uint8Array, args: never): Promise<unknown>
  /** For what MIMI has an endpoint for. */
  toHub?(args: never): HubCall
}
