import { Inject, Injectable } from '@nestjs/common'
import type { Caller } from '../../authentication/session/caller.js'
import { InvalidRequest, NotFound } from '../../platform/http/problem.js'
import { GroupLocator } from '../home/group-locator.js'
import { bytesIn, GroupLimits } from '../limits/group-limits.js'
import {
  OPERATIONS_TABLE,
  type AnswerOf,
  type ArgumentsOf,
  type Operation,
  type OperationName,
  type OperationsTable,
} from './operations-table.js'

/** The one port of a group, whether it is at home here or at another hub. */
@Injectable()
export class GroupOperations {
  constructor(
    @Inject(OPERATIONS_TABLE) private readonly table: OperationsTable,
    @Inject(GroupLocator) private readonly locator: Pick<GroupLocator, 'hubOf'>,
    @Inject(GroupLimits) private readonly limits: Pick<GroupLimits, 'takeWith'>,
  ) {}

  /**
   * A call of a client here: made here, or passed on to the group's hub. Names are the keys of operations-table.ts, which maps each to its
   * service.
   * @throws Problem, also what the hub refuses
   */
  async call<Name extends OperationName>(name: Name, caller: Caller, groupId: Uint8Array, args: ArgumentsOf<Name>): Promise<unknown> {
    const operation: Operation = this.table[name]
    // Also what goes to a hub, which counts all users here together: nobody here uses that up for the others.
    await this.count(operation, caller, args)
    const hub = await this.locator.hubOf(groupId)
    if (!hub) return operation.perform(caller, groupId, args as never)
    return hub.peers.call(hub.home, caller, operation.toHub?.(args as never) ?? { endpoint: 'operation', name, args })
  }

  /** The same of a follower's user, about a group that is at home here. @throws Problem */
  async perform<Name extends OperationName>(
    name: Name,
    caller: Caller,
    groupId: Uint8Array,
    args: ArgumentsOf<Name>,
  ): Promise<Awaited<AnswerOf<Name>>> {
    const operation: Operation = this.table[name]
    await this.count(operation, caller, args)
    return (await operation.perform(caller, groupId, args as never)) as Awaited<AnswerOf<Name>>
  }

  /** The same, as the endpoint `operation` brings it. @throws Problem as a client here would get it */
  async performFor(caller: Caller, groupId: Uint8Array, name: string, args: unknown): Promise<unknown> {
    const operation: Operation | undefined = Object.hasOwn(this.table, name) ? this.table[name as OperationName] : undefined
    if (!operation || operation.toHub) throw new NotFound('This server knows no such operation.')
    const parsed = operation.args.safeParse(args)
    if (!parsed.success) throw new InvalidRequest('The arguments of the operation are not valid.')
    await this.count(operation, caller, parsed.data)
    return operation.perform(caller, groupId, parsed.data as never)
  }

  /** Before anything is looked up. @throws RateLimited */
  private count({ rate }: Operation, caller: Caller, args: unknown): Promise<void> {
    return this.limits.takeWith(caller, rate, bytesIn(args))
  }
}
