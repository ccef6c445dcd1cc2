import { Injectable } from '@nestjs/common'
import type { Caller } from '../../authentication/session/caller.js'
import type { HubOperation } from '../../groups/home/federation-link.js'
import { InvalidRequest, NotFound } from '../../platform/http/problem.js'
import { GroupOperations } from './group-operations.js'
import type { Operation } from './operation.js'
import { PolicyOperations } from './policy-operations.js'
import { SealedOperations } from './sealed-operations.js'

/** Calls of the client API that followers pass on, each as the controller here makes it. */
@Injectable()
export class Operations {
  private readonly known: Readonly<Record<HubOperation, Operation>>

  constructor(groups: GroupOperations, policies: PolicyOperations, sealed: SealedOperations) {
    this.known = { ...groups.all, ...policies.all, ...sealed.all }
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
