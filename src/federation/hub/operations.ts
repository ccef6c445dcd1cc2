import { Injectable } from '@nestjs/common'
import { z, type ZodType } from 'zod'
import type { Caller } from '../../authentication/session/caller.js'
import { DeleteService } from '../../groups/delete/delete.service.js'
import type { HubOperation } from '../../groups/home/federation-link.js'
import { InfoService } from '../../groups/info/info.service.js'
import { ChangePolicy } from '../../groups/policy/policy.dto.js'
import { PolicyService } from '../../groups/policy/policy.service.js'
import { UserReference } from '../../groups/policy/uris.js'
import { Removals } from '../../groups/removal/removals.service.js'
import { ReportCommit } from '../../groups/reset/reset.dto.js'
import { ResetService } from '../../groups/reset/reset.service.js'
import { RoomsService } from '../../groups/rooms/rooms.service.js'
import { Epoch } from '../../platform/http/bytes.js'
import { InvalidRequest, NotFound } from '../../platform/http/problem.js'

const Nothing = z.object({})
const AtEpoch = z.object({ epoch: Epoch.optional(), join_code: z.string().max(128).optional() })
const User = z.object({ user: UserReference })

interface Operation {
  readonly args: ZodType
  perform(caller: Caller, groupId: Uint8Array, args: never): Promise<unknown>
}

function operation<T>(args: ZodType<T>, perform: (caller: Caller, groupId: Uint8Array, args: T) => Promise<unknown>): Operation {
  return { args, perform }
}

/** Calls of the client API that followers pass on, each as the controller here makes it. */
@Injectable()
export class Operations {
  private readonly known: Readonly<Record<HubOperation, Operation>>

  constructor(
    rooms: RoomsService,
    info: InfoService,
    policies: PolicyService,
    removals: Removals,
    resets: ResetService,
    deletions: DeleteService,
  ) {
    this.known = {
      group: operation(Nothing, (caller, groupId) => rooms.group(caller, groupId)),
      'group-info': operation(AtEpoch, (caller, groupId, args) => info.groupInfo(caller, groupId, args.epoch, args.join_code)),
      tree: operation(AtEpoch, (caller, groupId, args) => info.tree(caller, groupId, args.epoch, args.join_code)),
      policy: operation(Nothing, (caller, groupId) => policies.read(caller, groupId)),
      'change-policy': operation(ChangePolicy, (caller, groupId, args) => policies.change(caller, groupId, args)),
      'make-admin': operation(User, (caller, groupId, { user }) => policies.makeAdmin(caller, groupId, user)),
      'dismiss-admin': operation(User, (caller, groupId, { user }) => policies.dismissAdmin(caller, groupId, user)),
      ban: operation(User, (caller, groupId, { user }) => policies.ban(caller, groupId, user)),
      unban: operation(User, (caller, groupId, { user }) => policies.unban(caller, groupId, user)),
      leave: operation(Nothing, (caller, groupId) => removals.leave(caller, groupId)),
      report: operation(ReportCommit, (caller, groupId, args) => resets.report(caller, groupId, args)),
      reset: operation(Nothing, (caller, groupId) => resets.reset(caller, groupId)),
      delete: operation(Nothing, (caller, groupId) => deletions.delete(caller, groupId)),
    }
  }

  /** @throws the problem that a client of ours would get */
  perform(name: string, caller: Caller, groupId: Uint8Array, args: unknown): Promise<unknown> {
    const found = Object.hasOwn(this.known, name) ? this.known[name as HubOperation] : undefined
    if (!found) throw new NotFound('This server knows no such operation.')
    const parsed = found.args.safeParse(args)
    if (!parsed.success) throw new InvalidRequest('The arguments of the operation are not valid.')
    return found.perform(caller, groupId, parsed.data as never)
  }
}
