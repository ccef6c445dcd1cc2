import { Inject, Injectable } from '@nestjs/common'
import type { Caller } from '../../authentication/session/caller.js'
import { InvalidRequest, NotFound } from '../../platform/http/problem.js'
import { GroupLocator } from '../home/group-locator.js'
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
  ) {}

  /**
   * A call of a client here: made here, or passed on to the group's hub. Names are the keys of operations-table.ts, which maps each to its
   * service.
   * @throws Problem, also what the hub refuses
   */
  async call<Name extends OperationName>(name: Name, caller: Caller, groupId: Uint8Array, args: ArgumentsOf<Name>): Promise<unknown> {
    const hub = await this.locator.hubOf(groupId)
    if (!hub) return this.perform(name, caller, groupId, args)
    const operation: Operation = this.table[name]
    return hub.peers.call(hub.home, caller, operation.toHub?.(args as never) ?? { endpoint: 'operation', name, args })
  }

  /** A call about a group that is at home here. @throws Problem */
  perform<Name extends OperationName>(name: Name, caller: Caller, groupId: Uint8Array, args: ArgumentsOf<Name>): AnswerOf<Name> {
    const operation: Operation = this.table[name]
    return operation.perform(caller, groupId, args as never) as AnswerOf<Name>
  }

  /** The same, of a follower's user, as the endpoint `operation` brings it. @throws Problem as a client here would get it */
  performFor(caller: Caller, groupId: Uint8Array, name: string, args: unknown): Promise<unknown> {
    const operation: Operation | undefined = Object.hasOwn(this.table, name) ? this.table[name as OperationName] : undefined
    if (!operation || operation.toHub) throw new NotFound('This server knows no such operation.')
    const parsed = operation.args.safeParse(args)
    if (!parsed.success) throw new InvalidRequest('The arguments of the operation are not valid.')
    return operation.perform(caller, groupId, parsed.data as never)
  }
}
