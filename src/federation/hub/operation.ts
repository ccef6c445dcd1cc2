import type { ZodType } from 'zod'
import type { Caller } from '../../authentication/session/caller.js'

/** A call of the client API that a follower passes on. */
export interface Operation {
  readonly args: ZodType
  perform(caller: Caller, groupId: Uint8Array, args: never): Promise<unknown>
}

export function operation<T>(args: ZodType<T>, perform: (caller: Caller, groupId: Uint8Array, args: T) => Promise<unknown>): Operation {
  return { args, perform }
}
