import { z, type ZodType } from 'zod'
import type { Caller } from '../../authentication/session/caller.js'
import { Epoch } from '../../platform/http/bytes.js'
import { CommitsService } from '../commit/commits.service.js'
import { DeleteService } from '../delete/delete.service.js'
import { SubmitCommit, SubmitMessage, SubmitProposal } from '../groups.dto.js'
import type { HubCall } from '../home/federation-link.js'
import { InfoService } from '../info/info.service.js'
import type { CallRate } from '../limits/group-rates.js'
import { MessagesService } from '../message/messages.service.js'
import { ChangePolicy } from '../policy/policy.dto.js'
import { PolicyService } from '../policy/policy.service.js'
import { UserReference } from '../policy/uris.js'
import { ProposalsService } from '../proposal/proposals.service.js'
import { RemovalsService } from '../removal/removals.service.js'
import { ReportCommit } from '../reset/reset.dto.js'
import { ResetService } from '../reset/reset.service.js'
import { RoomsService } from '../rooms/rooms.service.js'
import { PublishSenderKey } from '../sealed/sealed.dto.js'
import { SenderKeysService } from '../sealed/sender-keys.service.js'

/** One call about a group, for clients here and for followers. The arguments are those that its schema gives. */
export interface Operation {
  /** What it counts as. */
  readonly rate: CallRate
  readonly args: ZodType
  /** Where the group is at home here. @throws Problem */
  perform(caller: Caller, groupId: Uint8Array, args: never): Promise<unknown>
  /** The call to the hub, where MIMI has an endpoint for it. */
  toHub?(args: never): HubCall
}

const Nothing = z.object({})
const User = z.object({ user: UserReference })
const AtEpoch = z.object({ epoch: Epoch.optional(), join_code: z.string().max(128).optional() })

/** What `groupOperations` is made of, in its order. */
export const OPERATION_SERVICES = [
  CommitsService,
  ProposalsService,
  MessagesService,
  SenderKeysService,
  RoomsService,
  InfoService,
  PolicyService,
  RemovalsService,
  ResetService,
  DeleteService,
] as const
type InstanceOf<Class> = Class extends new (...args: never[]) => infer Instance ? Instance : never
type InstancesOf<Classes extends readonly unknown[]> = { readonly [Index in keyof Classes]: InstanceOf<Classes[Index]> }
type Services = InstancesOf<typeof OPERATION_SERVICES>

function operation<Args, Answer>(
  rate: CallRate,
  args: ZodType<Args>,
  perform: (caller: Caller, groupId: Uint8Array, args: Args) => Promise<Answer>,
  toHub?: (args: Args) => HubCall,
) {
  return { rate, args, perform, ...(toHub && { toHub }) }
}

/** What MIMI has endpoints for. */
const TO_HUB = {
  commit: (body: SubmitCommit): HubCall => ({ endpoint: 'commit', body }),
  proposal: (body: SubmitProposal): HubCall => ({ endpoint: 'proposal', body }),
  message: (body: SubmitMessage): HubCall => ({ endpoint: 'message', body }),
}

/** Every call about one group, by the name that it has between providers (docs/federation-profile.md). */
export function groupOperations(
  ...[commits, proposals, messages, senderKeys, rooms, info, policies, removals, resets, deletions]: Services
) {
  return {
    commit: operation('commits', SubmitCommit, (caller, groupId, body) => commits.submit(caller, groupId, body), TO_HUB.commit),
    proposal: operation('proposals', SubmitProposal, (caller, groupId, body) => proposals.submit(caller, groupId, body), TO_HUB.proposal),
    message: operation('messages', SubmitMessage, (caller, groupId, body) => messages.submit(caller, groupId, body), TO_HUB.message),
    'publish-sender-key': operation('proposals', PublishSenderKey, (caller, groupId, body) => senderKeys.publish(caller, groupId, body)),
    'sender-keys': operation('reads', z.object({ epoch: Epoch.optional() }), (caller, groupId, { epoch }) =>
      senderKeys.read(caller, groupId, epoch),
    ),
    group: operation('reads', Nothing, (caller, groupId) => rooms.group(caller, groupId)),
    'group-info': operation('reads', AtEpoch, (caller, groupId, { epoch, join_code: code }) =>
      info.groupInfo(caller, groupId, epoch, code),
    ),
    tree: operation('reads', AtEpoch, (caller, groupId, { epoch, join_code: code }) => info.tree(caller, groupId, epoch, code)),
    policy: operation('reads', Nothing, (caller, groupId) => policies.read(caller, groupId)),
    'change-policy': operation('administration', ChangePolicy, (caller, groupId, body) => policies.change(caller, groupId, body)),
    'make-admin': operation('administration', User, (caller, groupId, { user }) => policies.makeAdmin(caller, groupId, user)),
    'dismiss-admin': operation('administration', User, (caller, groupId, { user }) => policies.dismissAdmin(caller, groupId, user)),
    ban: operation('administration', User, (caller, groupId, { user }) => policies.ban(caller, groupId, user)),
    unban: operation('administration', User, (caller, groupId, { user }) => policies.unban(caller, groupId, user)),
    leave: operation('leaves', Nothing, (caller, groupId) => removals.leave(caller, groupId)),
    report: operation('reports', ReportCommit, (caller, groupId, body) => resets.report(caller, groupId, body)),
    reset: operation('administration', Nothing, (caller, groupId) => resets.reset(caller, groupId)),
    'undo-reset': operation('administration', Nothing, (caller, groupId) => resets.undo(caller, groupId)),
    delete: operation('administration', Nothing, (caller, groupId) => deletions.delete(caller, groupId)),
  }
}

export type OperationsTable = ReturnType<typeof groupOperations>
export type OperationName = keyof OperationsTable
export type ArgumentsOf<Name extends OperationName> = Parameters<OperationsTable[Name]['perform']>[2]
export type AnswerOf<Name extends OperationName> = ReturnType<OperationsTable[Name]['perform']>
export const OPERATIONS_TABLE = Symbol('OPERATIONS_TABLE')
